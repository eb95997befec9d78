// What comes of a query.
import { Failure } from "./failure.js";

/** A source that has begun and has no value yet. */
class Later {
  constructor(retryMs, state) {
    this.retryMs = retryMs;
    this.state = state;
  }
}

/** No value yet: ask again in `retryMs`, and find `state` (at most 16 KiB of bytes) then. */
export function later(retryMs, state = new Uint8Array()) {
  return new Later(retryMs, state);
}

/** The contract's outcome of what a scaler returned: a number, a list of numbers, a reading, `later` or a Failure. */
export function outcome(answer) {
  if (answer instanceof Failure) return failed(answer);
  if (answer instanceof Later) {
    return { tag: "pending", val: { state: answer.state, retryMs: whole("retryMs", answer.retryMs) } };
  }
  const reading = typeof answer === "number" ? { values: [answer] } : Array.isArray(answer) ? { values: answer } : answer;
  if (typeof reading !== "object" || reading === null || !Array.isArray(reading.values)) {
    return failed(Failure.internal(`the scaler gave ${typeof answer} instead of a number, a list or a reading`));
  }
  if (!reading.values.every((value) => typeof value === "number")) {
    return failed(Failure.internal("the scaler gave a value that is not a number"));
  }
  const { values, active = null, observedMs, nextMs, state = null, metrics = null } = reading;
  const moments = { observedMs: whole("observedMs", observedMs), nextMs: whole("nextMs", nextMs) };
  return { tag: "ready", val: { values, active, ...moments, state, metrics: metrics?.map(metric) ?? null } };
}

/** The contract's outcome of a failure. */
export function failed({ kind, message, retryAfterMs }) {
  return { tag: "failed", val: { kind, message, retryAfterMs: whole("retryAfterMs", retryAfterMs) } };
}

/** The contract's metric. */
export function metric({ name, target, activation = 0 }) {
  return { name, target, activation };
}

/** A number of milliseconds as the contract has it; null where there is none. */
function whole(what, number) {
  if (number === undefined || number === null) return null;
  if (!Number.isFinite(number) || number < 0) throw Failure.internal(`${what} is not a number of milliseconds`);
  return Math.min(Math.floor(number), Number.MAX_SAFE_INTEGER);
}
