package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// runEtcd runs one member that is its own cluster. Durability is given up for speed: its data never outlives a test.
func runEtcd() {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "", "folder of the data")
	client := flags.String("listen-client-url", "", "where the API server reaches it, for instance http://127.0.0.1:2379")
	peer := flags.String("listen-peer-url", "", "where members would reach it, for instance http://127.0.0.1:2380")
	_ = flags.Parse(os.Args[1:])

	clientURL, peerURL := parse(*client), parse(*peer)
	config := embed.NewConfig()
	config.Name = "controlplane"
	config.Dir = *dir
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clientURL}, []url.URL{clientURL}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peerURL}, []url.URL{peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// Zero, which is what an embedded server starts with, makes each request log a warning.
	config.WarningUnaryRequestDuration = 2 * time.Second
	config.QuotaBackendBytes = 4 << 30

	server, err := embed.StartEtcd(config)
	if err != nil {
		fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		server.Close()
	case err := <-server.Err():
		fatal(err)
	case <-server.Server.StopNotify():
		fatal(fmt.Errorf("stopped by itself"))
	}
}

func parse(text string) url.URL {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		fatal(fmt.Errorf("not a URL: %q", text))
	}
	return *parsed
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "etcd:", err)
	os.Exit(1)
}
