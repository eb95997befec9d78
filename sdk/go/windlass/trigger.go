package windlass

// Trigger is what a user wrote, as the host hands it over: resolved, checked, trimmed, defaulted.
type Trigger struct {
	// Type, for instance "redis".
	Type string
	// Values of the declared parameters that are set.
	Values []ParameterValue
	// Extras is metadata that is not declared, for an open-ended scaler.
	Extras map[string]string
	// Identity is the provider of the pod identity, for instance "aws"; empty: none.
	Identity string
	// Owner of the trigger, only with the need "owner".
	Owner *Owner
}

// ParameterValue is a parameter that is set.
type ParameterValue struct {
	Name string
	Text string
	// Sealed: it is set, but its text stays with the host.
	Sealed bool
}

// Owner is the object that a trigger belongs to.
type Owner struct {
	// Job: a ScaledJob, else a ScaledObject.
	Job       bool
	Namespace string
	Name      string
}

// Shape is the form of a parameter's value, checked by the host.
type Shape uint8

// The shapes.
const (
	ShapeText Shape = iota
	ShapeInteger
	ShapeNumber
	ShapeBoolean
	ShapeDuration
	ShapeURL
	ShapeAddress
	ShapeAddresses
	ShapeTexts
	ShapePairs
)

// Secrecy says who may see a parameter's value.
type Secrecy uint8

// The secrecies.
const (
	Open Secrecy = iota
	SecrecySealed
	SecrecyRevealed
)

// Origin says where a parameter may come from; they are added together.
type Origin uint8

// The origins.
const (
	FromMetadata Origin = 1 << iota
	FromEnvironment
	FromAuthentication
)

// Parameter is the declaration of a parameter, made of a struct's field.
type Parameter struct {
	Name       string
	Aliases    []string
	Shape      Shape
	Required   bool
	Initial    *string
	Choices    []string
	Secrecy    Secrecy
	Origin     Origin
	Deprecated string
	Doc        string
}
