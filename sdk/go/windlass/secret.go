package windlass

// Sealed is a secret that the scaler only names: the host uses it where a [Credential] or a [TLS] says its parameter's name.
type Sealed struct {
	parameter string
}

// IsSet tells whether the user gave it.
func (s Sealed) IsSet() bool {
	return s.parameter != ""
}

// Parameter is the name to use it by; empty when it is not set.
func (s Sealed) Parameter() string {
	return s.parameter
}

// Revealed is a secret whose text the scaler needs, for a log-in over TCP. It does not print itself.
type Revealed struct {
	text string
	set  bool
}

// IsSet tells whether the user gave it.
func (r Revealed) IsSet() bool {
	return r.set
}

// Reveal is the secret.
func (r Revealed) Reveal() string {
	return r.text
}

// String hides the secret.
func (r Revealed) String() string {
	return "(hidden)"
}

// GoString hides the secret.
func (r Revealed) GoString() string {
	return "(hidden)"
}
