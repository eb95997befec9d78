// Why there is no value, and what is wrong with parameters.

/** Why a query has no value. Thrown by a scaler; the message is for people and never carries a secret. */
export class Failure extends Error {
  /**
   * @param {string} kind One of the contract's words, for instance `bad-response`.
   * @param {string} message What happened and, where there is one, the remedy.
   * @param {{ retryAfterMs?: number }} [more] When the source wants to be asked again, from now.
   */
  constructor(kind, message, { retryAfterMs } = {}) {
    super(message);
    this.name = "Failure";
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }

  static invalid(message) {
    return new Failure("invalid", message);
  }
  static auth(message) {
    return new Failure("auth", message);
  }
  static unreachable(message) {
    return new Failure("unreachable", message);
  }
  static timeout(message) {
    return new Failure("timeout", message);
  }
  static throttled(message, retryAfterMs) {
    return new Failure("throttled", message, { retryAfterMs });
  }
  static notFound(message) {
    return new Failure("not-found", message);
  }
  static badResponse(message) {
    return new Failure("bad-response", message);
  }
  static internal(message) {
    return new Failure("internal", message);
  }

  /** Whatever was thrown, as a failure: what is none is a fault of the scaler. */
  static of(thrown) {
    if (thrown instanceof Failure) return thrown;
    if (thrown instanceof Problem) return Failure.invalid(thrown.toString());
    return Failure.internal(`the scaler failed: ${thrown}`);
  }
}

/** What is wrong with a parameter. `configure` throws one or returns several. */
export class Problem extends Error {
  /**
   * @param {string | null} parameter Its name, or null where it is about several.
   * @param {string} message What is wrong and what to do, without the name.
   */
  constructor(parameter, message) {
    super(message);
    this.name = "Problem";
    this.parameter = parameter;
  }

  toString() {
    return this.parameter === null ? this.message : `${this.parameter}: ${this.message}`;
  }
}

/** A problem of one parameter. */
export function problem(parameter, message) {
  return new Problem(parameter, message);
}
