//go:build !wasip1

package windlass

// Export makes the scaler the component's: to be called in an init function of the main package. Natively it does nothing.
func Export(*Component) {}
