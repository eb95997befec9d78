// Tests of scalers, natively: the cases beside a scaler's sources, played by a source that follows a script.
#ifndef WINDLASS_HARNESS_H
#define WINDLASS_HARNESS_H

#include "../host.h"

// Runs every case of a folder, `<folder>/<case>/case.json`. Says what is not as it should be, and how many were; tells how many
// failed. That there is none is a failure.
int windlass_run_cases(const windlass_scaler *scaler, const char *folder);

// A script that the host of tests plays: exchanges as a case has them, each asked for once and in any order.
typedef struct {
  windlass_arena arena;
  const windlass_json *exchange;  // an array
  bool *used;
  size_t sends;          // calls that sent requests
  uint64_t clock_ms;     // passes only in a wait that nothing ends
  int aged;              // connections that had rested and were closed meanwhile are opened first, as many
  char *unexpected;      // what was asked and is not in the script; NULL: nothing
  windlass_outcome outcomes[2048];
  size_t told[2048];     // how often each query was told of
} windlass_script;

// The script that is played.
extern windlass_script *windlass_played;

// Whether an exchange has been asked for; entries that have not been asked for.
size_t windlass_script_left(const windlass_script *script);

// A trigger of what a user writes, by the host's rules; what is wrong with it becomes problems of the plan.
windlass_trigger windlass_resolve(const windlass_scaler *scaler, const windlass_json *metadata, const windlass_json *authentication, windlass_plan *plan);

// The contract's word for a kind of failure.
const char *windlass_word(windlass_kind kind);

// A member of an object as text; NULL where there is none.
const char *windlass_member_text(const windlass_json *object, const char *name);

#endif
