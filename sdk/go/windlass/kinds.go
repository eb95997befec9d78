package windlass

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// kindOf tells how a field of a type is declared and read. The host has checked the form already; what does not fit here is
// narrower than the contract's shapes.
func kindOf(t reflect.Type, name string) (kind, error) {
	if t.Kind() == reflect.Pointer {
		return kindOf(t.Elem(), name)
	}
	switch t {
	case durationType:
		return kind{ShapeDuration, Open, readDuration}, nil
	case urlType:
		return kind{ShapeURL, Open, readURL}, nil
	case addressType:
		return kind{ShapeAddress, Open, readAddress}, nil
	case addressesType:
		return kind{ShapeAddresses, Open, readAddresses}, nil
	case textsType:
		return kind{ShapeTexts, Open, readTexts}, nil
	case pairsType:
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			return kind{ShapeText, Open, readPrefixed(prefix)}, nil
		}
		return kind{ShapePairs, Open, readPairs}, nil
	case sealedType:
		return kind{ShapeText, SecrecySealed, nil}, nil
	case revealedType:
		return kind{ShapeText, SecrecyRevealed, readRevealed}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return kind{ShapeText, Open, readText}, nil
	case reflect.Bool:
		return kind{ShapeBoolean, Open, readBool}, nil
	case reflect.Float32, reflect.Float64:
		return kind{ShapeNumber, Open, readFloat}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kind{ShapeInteger, Open, readInt}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return kind{ShapeInteger, Open, readUint}, nil
	}
	return kind{}, fmt.Errorf("the type %v is none that a parameter can have", t)
}

func readText(field reflect.Value, _, text string) error {
	field.SetString(text)
	return nil
}

func readBool(field reflect.Value, _, text string) error {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("is neither true nor false")
	}
	field.SetBool(value)
	return nil
}

func readFloat(field reflect.Value, _, text string) error {
	value, err := strconv.ParseFloat(text, field.Type().Bits())
	if err != nil {
		return fmt.Errorf("is not a number")
	}
	field.SetFloat(value)
	return nil
}

func readInt(field reflect.Value, _, text string) error {
	bits := field.Type().Bits()
	value, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		most := int64(1)<<(bits-1) - 1
		return fmt.Errorf("is not an integer from %d to %d", -most-1, most)
	}
	field.SetInt(value)
	return nil
}

func readUint(field reflect.Value, _, text string) error {
	bits := field.Type().Bits()
	value, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return fmt.Errorf("is not an integer from 0 to %d", ^uint64(0)>>(64-bits))
	}
	field.SetUint(value)
	return nil
}

func readDuration(field reflect.Value, _, text string) error {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || value > int64(1<<63-1)/int64(time.Millisecond) {
		return fmt.Errorf("is not a duration")
	}
	field.SetInt(value * int64(time.Millisecond))
	return nil
}

func readURL(field reflect.Value, name, text string) error {
	value, err := ParseURL(name, text)
	if err == nil {
		field.Set(reflect.ValueOf(value))
	}
	return err
}

func readAddress(field reflect.Value, name, text string) error {
	value, err := ParseAddress(name, text)
	if err == nil {
		field.Set(reflect.ValueOf(value))
	}
	return err
}

func readAddresses(field reflect.Value, name, text string) error {
	var addresses []Address
	for _, entry := range list(text) {
		address, err := ParseAddress(name, entry)
		if err != nil {
			return err
		}
		addresses = append(addresses, address)
	}
	field.Set(reflect.ValueOf(addresses))
	return nil
}

func readTexts(field reflect.Value, _, text string) error {
	field.Set(reflect.ValueOf(list(text)))
	return nil
}

func readPairs(field reflect.Value, _, text string) error {
	pairs := map[string]string{}
	for _, entry := range list(text) {
		key, value, found := strings.Cut(entry, "=")
		if !found {
			return fmt.Errorf("has an entry without `=`: write key=value,key=value")
		}
		pairs[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	field.Set(reflect.ValueOf(pairs))
	return nil
}

// readPrefixed collects all values with a prefix, by what follows it.
func readPrefixed(prefix string) func(reflect.Value, string, string) error {
	return func(field reflect.Value, name, text string) error {
		if field.IsNil() {
			field.Set(reflect.ValueOf(map[string]string{}))
		}
		field.SetMapIndex(reflect.ValueOf(strings.TrimPrefix(name, prefix)), reflect.ValueOf(text))
		return nil
	}
}

func readRevealed(field reflect.Value, _, text string) error {
	field.Set(reflect.ValueOf(Revealed{text: text, set: true}))
	return nil
}
