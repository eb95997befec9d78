// Lets realloc_wasip1.go declare functions of the runtime without a body.
