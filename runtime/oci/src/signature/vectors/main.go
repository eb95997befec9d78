// Makes keyless.json: signatures as an authority (Fulcio), a log of signatures (Rekor) and a log of certificates make them, with
// Go's own X.509, so that what reads them in Rust meets another's bytes. `go run main.go sha256:… > keyless.json`, with the digest
// of the manifest that they sign; keys are new each time. cosign 3.1 accepts and refuses the
// same of them, but for the bundles, where it wants a proof of inclusion beside the log's promise.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"strings"
	"time"
)

type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

type leaf struct {
	subject   *url.URL
	email     string
	issuer    string
	rawIssuer bool
	usage     x509.ExtKeyUsage
	// Which log promises to hold it; none: nobody.
	log *ecdsa.PrivateKey
}

// A bundle as cosign 3 stores it.
type envelope struct {
	Name   string         `json:"name"`
	Bundle map[string]any `json:"bundle"`
}

type vector struct {
	Name        string `json:"name"`
	Payload     string `json:"payload"`
	Signature   string `json:"signature"`
	Certificate string `json:"certificate"`
	Chain       string `json:"chain"`
	Bundle      string `json:"bundle"`
}

const workflow = "https://github.com/acme/scalers/.github/workflows/release.yaml@refs/tags/v1.2.0"
const actions = "https://token.actions.githubusercontent.com"

var start = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func key() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func spki(key *ecdsa.PrivateKey) []byte { return must(x509.MarshalPKIXPublicKey(&key.PublicKey)) }

func id(key *ecdsa.PrivateKey) [32]byte { return sha256.Sum256(spki(key)) }

func sign(key *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	return must(ecdsa.SignASN1(rand.Reader, key, digest[:]))
}

func b64(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }

func toPem(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

func authority(name string, by *pair) pair {
	own := pair{key: key()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"example"}},
		NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	parent, signer := template, own.key
	if by != nil {
		parent, signer = by.certificate, by.key
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, &own.key.PublicKey, signer))
	own.certificate = must(x509.ParseCertificate(der))
	return own
}

// certify makes the certificate twice: what a log promises is about the fields without its own promise.
func certify(what leaf, by pair) pair {
	own := pair{key: key()}
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), NotBefore: start, NotAfter: start.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{what.usage},
	}
	if what.subject != nil {
		template.URIs = []*url.URL{what.subject}
	} else {
		template.EmailAddresses = []string{what.email}
	}
	raw := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(what.issuer)}
	template.ExtraExtensions = []pkix.Extension{raw}
	if !what.rawIssuer {
		typed := must(asn1.MarshalWithParams(what.issuer, "utf8"))
		template.ExtraExtensions = append(template.ExtraExtensions,
			pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: typed})
	}
	create := func() *x509.Certificate {
		der := must(x509.CreateCertificate(rand.Reader, template, by.certificate, &own.key.PublicKey, by.key))
		return must(x509.ParseCertificate(der))
	}
	own.certificate = create()
	if what.log == nil {
		return own
	}
	timestamp := uint64(start.UnixMilli())
	issuer := sha256.Sum256(by.certificate.RawSubjectPublicKeyInfo)
	fields := own.certificate.RawTBSCertificate
	var text bytes.Buffer
	text.Write([]byte{0, 0})
	binary.Write(&text, binary.BigEndian, timestamp)
	text.Write([]byte{0, 1})
	text.Write(issuer[:])
	text.Write([]byte{byte(len(fields) >> 16), byte(len(fields) >> 8), byte(len(fields))})
	text.Write(fields)
	text.Write([]byte{0, 0})
	signature := sign(what.log, text.Bytes())
	var promise bytes.Buffer
	log := id(what.log)
	promise.WriteByte(0)
	promise.Write(log[:])
	binary.Write(&promise, binary.BigEndian, timestamp)
	promise.Write([]byte{0, 0, 4, 3})
	binary.Write(&promise, binary.BigEndian, uint16(len(signature)))
	promise.Write(signature)
	var list bytes.Buffer
	binary.Write(&list, binary.BigEndian, uint16(promise.Len()+2))
	binary.Write(&list, binary.BigEndian, uint16(promise.Len()))
	list.Write(promise.Bytes())
	value := must(asn1.Marshal(list.Bytes()))
	template.ExtraExtensions = append(template.ExtraExtensions,
		pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value})
	own.certificate = create()
	return own
}

type entry struct {
	payload, signature []byte
	certificate        *x509.Certificate
	at                 time.Time
	log                *ecdsa.PrivateKey
}

func bundle(what entry) string {
	digest := sha256.Sum256(what.payload)
	body := must(json.Marshal(map[string]any{
		"apiVersion": "0.0.1", "kind": "hashedrekord",
		"spec": map[string]any{
			"data": map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(digest[:])}},
			"signature": map[string]any{
				"content":   b64(what.signature),
				"publicKey": map[string]any{"content": b64([]byte(toPem(what.certificate)))},
			},
		},
	}))
	log := id(what.log)
	// Names in order and without spaces, as encoding/json writes a map: what the log signs.
	payload := map[string]any{
		"body": b64(body), "integratedTime": what.at.Unix(), "logID": hex.EncodeToString(log[:]), "logIndex": 7,
	}
	promise := sign(what.log, must(json.Marshal(payload)))
	return string(must(json.Marshal(map[string]any{"SignedEntryTimestamp": b64(promise), "Payload": payload})))
}

func logOf(key *ecdsa.PrivateKey, url string) map[string]any {
	log := id(key)
	return map[string]any{
		"baseUrl": url, "hashAlgorithm": "SHA2_256", "logId": map[string]any{"keyId": b64(log[:])},
		"publicKey": map[string]any{
			"rawBytes": b64(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
			"validFor": map[string]any{"start": start.AddDate(-1, 0, 0).Format(time.RFC3339)},
		},
	}
}

func main() {
	root := authority("root", nil)
	intermediate := authority("intermediate", &root)
	foreignRoot := authority("root", nil)
	foreign := authority("intermediate", &foreignRoot)
	rekor, otherRekor, ct, otherCt := key(), key(), key(), key()

	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "the digest of the manifest is missing: sha256:…")
		os.Exit(2)
	}
	digest := os.Args[1]
	payload := []byte(`{"critical":{"identity":{"docker-reference":"registry.example/acme/q"},"image":{"docker-manifest-digest":"` +
		digest + `"},"type":"cosign container image signature"},"optional":null}`)
	ours := must(url.Parse(workflow))
	code := x509.ExtKeyUsageCodeSigning
	good := leaf{subject: ours, issuer: actions, usage: code, log: ct}
	var vectors []vector
	add := func(name string, what leaf, by pair, change func(*entry)) {
		signer := certify(what, by)
		signature := sign(signer.key, payload)
		logged := entry{payload, signature, signer.certificate, start.Add(time.Minute), rekor}
		if change != nil {
			change(&logged)
		}
		vectors = append(vectors, vector{
			name, b64(payload), b64(signature), toPem(signer.certificate), toPem(by.certificate), bundle(logged),
		})
	}
	with := func(change func(*leaf)) leaf {
		changed := good
		change(&changed)
		return changed
	}
	add("good", good, intermediate, nil)
	add("address", with(func(l *leaf) {
		l.subject, l.email, l.issuer = nil, "release@example.com", "https://accounts.example.com"
	}), intermediate, nil)
	add("issuer without a type", with(func(l *leaf) { l.rawIssuer = true }), intermediate, nil)
	add("another authority", good, foreign, nil)
	add("for servers", with(func(l *leaf) { l.usage = x509.ExtKeyUsageServerAuth }), intermediate, nil)
	add("in no log of certificates", with(func(l *leaf) { l.log = nil }), intermediate, nil)
	add("in an unknown log of certificates", with(func(l *leaf) { l.log = otherCt }), intermediate, nil)
	add("too late", good, intermediate, func(e *entry) { e.at = start.Add(11 * time.Minute) })
	add("too early", good, intermediate, func(e *entry) { e.at = start.Add(-time.Minute) })
	add("in an unknown log", good, intermediate, func(e *entry) { e.log = otherRekor })
	add("entry of another payload", good, intermediate, func(e *entry) { e.payload = []byte("other") })
	add("entry of another signature", good, intermediate, func(e *entry) { e.signature = sign(key(), payload) })
	add("entry of another certificate", good, intermediate, func(e *entry) { e.certificate = intermediate.certificate })

	// One whose signature is not by the key of its certificate, although everything else agrees.
	signer := certify(good, intermediate)
	forged := sign(key(), payload)
	vectors = append(vectors, vector{
		"not by its certificate's key", b64(payload), b64(forged), toPem(signer.certificate), toPem(intermediate.certificate),
		bundle(entry{payload, forged, signer.certificate, start.Add(time.Minute), rekor}),
	})

	// The same as statements in envelopes.
	const kind = "application/vnd.in-toto+json"
	statement := func(digest string) []byte {
		return []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + strings.TrimPrefix(digest, "sha256:") +
			`"},"annotations":{}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
	}
	var envelopes []envelope
	wrap := func(name string, payload []byte, logged []byte) {
		signer := certify(good, intermediate)
		signature := sign(signer.key, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
		sealed := must(json.Marshal(map[string]any{
			"payload": b64(payload), "payloadType": kind, "signatures": []any{map[string]any{"sig": b64(signature)}},
		}))
		whole, hash := sha256.Sum256(sealed), sha256.Sum256(logged)
		body := must(json.Marshal(map[string]any{
			"apiVersion": "0.0.1", "kind": "dsse", "spec": map[string]any{
				"envelopeHash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(whole[:])},
				"payloadHash":  map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(hash[:])},
				"signatures":   []any{map[string]any{"signature": b64(signature), "verifier": b64([]byte(toPem(signer.certificate)))}},
			},
		}))
		at, log := start.Add(time.Minute).Unix(), id(rekor)
		promise := sign(rekor, must(json.Marshal(map[string]any{
			"body": b64(body), "integratedTime": at, "logID": hex.EncodeToString(log[:]), "logIndex": 0,
		})))
		envelopes = append(envelopes, envelope{name, map[string]any{
			"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
			"verificationMaterial": map[string]any{
				"certificate": map[string]any{"rawBytes": b64(signer.certificate.Raw)},
				"tlogEntries": []any{map[string]any{
					"logIndex": "0", "logId": map[string]any{"keyId": b64(log[:])}, "integratedTime": fmt.Sprint(at),
					"kindVersion":       map[string]any{"kind": "dsse", "version": "0.0.1"},
					"inclusionPromise":  map[string]any{"signedEntryTimestamp": b64(promise)},
					"canonicalizedBody": b64(body),
				}},
			},
			"dsseEnvelope": json.RawMessage(sealed),
		}})
	}
	wrap("good", statement(digest), statement(digest))
	wrap("of another manifest", statement("sha256:"+strings.Repeat("0", 64)), statement("sha256:"+strings.Repeat("0", 64)))
	wrap("entry of another statement", statement(digest), []byte("other"))

	chain := []map[string]any{}
	for _, one := range []pair{intermediate, root} {
		chain = append(chain, map[string]any{"rawBytes": b64(one.certificate.Raw)})
	}
	trusted := map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":     []any{logOf(rekor, "https://rekor.example")}, "ctlogs": []any{logOf(ct, "https://ct.example")},
		"certificateAuthorities": []any{map[string]any{
			"subject": map[string]any{"organization": "example", "commonName": "root"}, "uri": "https://fulcio.example",
			"certChain": map[string]any{"certificates": chain},
			"validFor":  map[string]any{"start": start.AddDate(-1, 0, 0).Format(time.RFC3339)},
		}},
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	must(0, encoder.Encode(map[string]any{"manifest": digest, "trustedRoot": trusted, "vectors": vectors, "bundles": envelopes}))
}
