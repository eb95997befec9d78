package windlass

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// URL is an absolute URL that the user wrote in a parameter.
type URL struct {
	// Parameter that it stands in.
	Parameter string
	// Scheme in lower case, for instance "https".
	Scheme string
	// Host: name or address, without the brackets of an IPv6 address.
	Host string
	// Port, where one is written; else zero.
	Port uint16
	// Path as written, without the query; may be empty.
	Path string
	// RawQuery is what follows the '?', as written.
	RawQuery string
}

// ParseURL parses an absolute URL. Nothing is decoded: the host compares what was written.
func ParseURL(parameter, text string) (URL, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return URL{}, fmt.Errorf("is not an absolute URL: write it with its scheme")
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	host, port, err := hostPort(authority[strings.LastIndexByte(authority, '@')+1:])
	if err != nil {
		return URL{}, err
	}
	return URL{parameter, strings.ToLower(scheme), host, port, path, query}, nil
}

// hostPort takes a host and its port apart; the port may be missing.
func hostPort(text string) (host string, port uint16, err error) {
	host = text
	// The colons of an IPv6 address stand in brackets.
	if colon := strings.LastIndexByte(text, ':'); colon > strings.LastIndexByte(text, ']') {
		host = text[:colon]
		if digits := text[colon+1:]; digits != "" {
			number, err := strconv.ParseUint(digits, 10, 16)
			if err != nil || number == 0 {
				return "", 0, fmt.Errorf("names a port that is not between 1 and 65535")
			}
			port = uint16(number)
		}
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if host == "" {
		return "", 0, fmt.Errorf("names no host")
	}
	return host, port, nil
}

// Endpoint is that of an http or https URL, with verified TLS for https; change its TLS for anything else.
func (u URL) Endpoint() (Endpoint, error) {
	endpoint := Endpoint{Parameter: u.Parameter, Host: u.Host, Port: u.Port}
	var port uint16
	switch u.Scheme {
	case "http":
		port = 80
	case "https":
		port, endpoint.TLS = 443, &TLS{}
	default:
		return Endpoint{}, Problemf(u.Parameter, "is neither an http nor an https URL")
	}
	if endpoint.Port == 0 {
		endpoint.Port = port
	}
	return endpoint, nil
}

// Target is the request target: path and query as written, "/" for an empty path.
func (u URL) Target() string {
	return u.TargetWith("")
}

// TargetWith is the request target of a path below the URL's, with names and values for the query, which are encoded here and
// follow those of the URL. The path starts with '/' or is empty.
func (u URL) TargetWith(path string, query ...string) string {
	base := u.Path
	if path != "" {
		base = strings.TrimRight(base, "/")
	}
	target := base + path
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	separator := "?"
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
		separator = "&"
	}
	for i := 0; i+1 < len(query); i += 2 {
		target += separator + PercentEncode(query[i]) + "=" + PercentEncode(query[i+1])
		separator = "&"
	}
	return target
}

// PercentEncode encodes a name or a value for the query of a URL: everything but letters, digits, '-', '_', '.' and '~'.
func PercentEncode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// Address is a host and a port that the user wrote in a parameter.
type Address struct {
	Parameter string
	Host      string
	Port      uint16
}

// ParseAddress parses `host:port`.
func ParseAddress(parameter, text string) (Address, error) {
	host, port, err := hostPort(text)
	if err != nil {
		return Address{}, err
	}
	if port == 0 {
		return Address{}, fmt.Errorf("names no port: write host:port")
	}
	return Address{parameter, host, port}, nil
}

// Endpoint is the address's, without TLS.
func (a Address) Endpoint() Endpoint {
	return Endpoint{Parameter: a.Parameter, Host: a.Host, Port: a.Port}
}
