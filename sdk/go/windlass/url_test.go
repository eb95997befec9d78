package windlass_test

import (
	"testing"

	"windlass"
)

func TestTargets(t *testing.T) {
	for text, expected := range map[string]string{
		"http://h":            "/x?q=a%20b%26",
		"http://h/":           "/x?q=a%20b%26",
		"http://h/a/?k=%20#f": "/a/x?k=%20&q=a%20b%26",
		"http://h:8080?k=v":   "/x?k=v&q=a%20b%26",
	} {
		url, err := windlass.ParseURL("url", text)
		if err != nil {
			t.Fatal(err)
		}
		if found := url.TargetWith("/x", "q", "a b&"); found != expected {
			t.Errorf("%s: %s", text, found)
		}
	}
	url, err := windlass.ParseURL("url", "https://[2001:db8::1]:8443/a%2Fb")
	if err != nil || url.Host != "2001:db8::1" || url.Port != 8443 || url.Target() != "/a%2Fb" {
		t.Errorf("%+v %v", url, err)
	}
	for _, text := range []string{"", "h", "http://", "http://:80", "http://h:x", "http://h:65536"} {
		if url, err := windlass.ParseURL("url", text); err == nil {
			t.Errorf("%s: %+v", text, url)
		}
	}
}
