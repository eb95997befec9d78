// The folder cases says what users write and what comes of it.
#include "test/harness.h"

int main(void) { return windlass_run_cases(&windlass_scaler_exported, "cases") == 0 ? 0 : 1; }
