package windlass

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody is the longest answer that is read when the scaler does not say otherwise, in bytes.
const maxBody = 1 << 20

// Header is a name and a value.
type Header struct {
	Name, Value string
}

// Request is a request to an endpoint of the plan. Requests are values: each method returns a changed copy.
type Request struct {
	// Endpoint is an index into the plan's endpoints, or a number from [Query.Learn].
	Endpoint uint32
	// Method, for instance "GET".
	Method string
	// Target is path and query, from '/', encoded.
	Target string
	// Headers; Host and Content-Length are the host's.
	Headers []Header
	Body    []byte
	// Credentials are what the host adds from sealed parameters.
	Credentials []Credential
	// Timeout for the answer, where the user says so; always within the batch's budget.
	Timeout time.Duration
	// AnyStatus: an answer of any status is returned, not only 2xx.
	AnyStatus bool
	// MaxBody is the longest answer that is read, in bytes; zero: 1 MiB.
	MaxBody int
}

// Get asks the plan's first endpoint.
func Get(target string) Request {
	return Request{Method: "GET", Target: target}
}

// Post sends a body to the plan's first endpoint.
func Post(target, contentType string, body []byte) Request {
	return Request{Method: "POST", Target: target, Body: body}.WithHeader("Content-Type", contentType)
}

// WithHeader adds a header.
func (r Request) WithHeader(name, value string) Request {
	r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], Header{name, value})
	return r
}

// WithCredential adds a credential.
func (r Request) WithCredential(credential Credential) Request {
	r.Credentials = append(r.Credentials[:len(r.Credentials):len(r.Credentials)], credential)
	return r
}

// Role is a role of a credential, and what plays it.
type Role struct {
	Role, Name string
}

// Credential is what the host adds to a request. Secrets name parameters, settings are texts.
type Credential struct {
	// Scheme: bearer, basic, header or query.
	Scheme   string
	Secrets  []Role
	Settings []Role
}

// Bearer is `Authorization: Bearer <token>`.
func Bearer(token Sealed) Credential {
	return Credential{Scheme: "bearer", Secrets: []Role{{"token", token.Parameter()}}}
}

// Basic is `Authorization: Basic`; a password that is not set is left out.
func Basic(username string, password Sealed) Credential {
	credential := Credential{Scheme: "basic", Settings: []Role{{"username", username}}}
	if password.IsSet() {
		credential.Secrets = []Role{{"password", password.Parameter()}}
	}
	return credential
}

// UserOf is `Authorization: Basic` from the user part of a sealed URL; nothing where it has none.
func UserOf(url URL) Credential {
	secrets := []Role{{"username", url.Parameter + ".user"}, {"password", url.Parameter + ".password"}}
	return Credential{Scheme: "basic", Secrets: secrets}
}

// SecretHeader is a header whose value is a secret.
func SecretHeader(name string, value Sealed) Credential {
	return Credential{Scheme: "header", Secrets: []Role{{"value", value.Parameter()}}, Settings: []Role{{"name", name}}}
}

// SecretQuery is a parameter of the target's query whose value is a secret.
func SecretQuery(name string, value Sealed) Credential {
	return Credential{Scheme: "query", Secrets: []Role{{"value", value.Parameter()}}, Settings: []Role{{"name", name}}}
}

// Response is an answer, its body read to the end.
type Response struct {
	Status  uint16
	Headers []Header
	Body    []byte
}

// Header is the first of that name, in any case; empty when there is none.
func (r Response) Header(name string) string {
	for _, header := range r.Headers {
		if strings.EqualFold(header.Name, name) {
			return strings.TrimSpace(header.Value)
		}
	}
	return ""
}

// JSON decodes the body.
func (r Response) JSON(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return Failf(BadResponse, "the answer is not the JSON expected: %v", err)
	}
	return nil
}

// Check refuses a status that does not say 2xx, by its usual meaning; for requests with AnyStatus.
func (r Response) Check() error {
	if failure := r.failure(); failure != nil {
		return failure
	}
	return nil
}

func (r Response) failure() *Failure {
	kind, hint := BadResponse, ""
	switch status := r.Status; {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		hint = ", and redirects are not followed: write the final address"
	case status == 401 || status == 407:
		kind, hint = Auth, ": check the credentials"
	case status == 403:
		kind, hint = Auth, ": the credentials do not suffice"
	case status == 404 || status == 410:
		kind = NotFound
	case status == 408 || status == 504:
		kind = Timeout
	case status == 429:
		kind = Throttled
	case status >= 500 && status <= 599:
		kind = Unreachable
	}
	failure := Failf(kind, "answered %d%s%s", r.Status, hint, r.said())
	if r.Status == 429 || r.Status == 503 {
		// Its other form, a date, is left alone.
		if seconds, err := strconv.ParseUint(r.Header("Retry-After"), 10, 32); err == nil {
			failure.RetryAfter = time.Duration(seconds) * time.Second
		}
	}
	return failure
}

// said is the beginning of the body, as a message repeats it.
func (r Response) said() string {
	const repeated = 160
	if !utf8.Valid(r.Body) {
		return ""
	}
	text := []rune(strings.Join(strings.Fields(string(r.Body)), " "))
	if len(text) == 0 {
		return ""
	}
	return " (" + string(text[:min(len(text), repeated)]) + ")"
}
