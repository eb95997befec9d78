// HTTP: requests, responses, credentials, and one batch of queries.
import { Failure } from "./failure.js";
import { Sealed } from "./parameter.js";
import { utf8 } from "./text.js";

/** The longest answer that is read when the scaler does not say otherwise, in bytes. */
const MAX_BODY = 1 << 20;
/** Rounds after which a scaler that asks on and on is stopped. */
const MAX_ROUNDS = 8;
/** How much of an answer's body a message repeats, in characters. */
const REPEATED = 160;

/**
 * A GET of path and query. Options: `endpoint` (its place in the plan, 0), `method`, `headers`, `body`, `credentials`,
 * `timeoutMs`, `anyStatus` (answers of any status are parsed, not only 2xx), `maxBody` (bytes, 1 MiB).
 */
export function get(target, options = {}) {
  return { method: "GET", target, ...options };
}

/** A POST of a body, which is text, bytes or, where it is anything else, sent as JSON. */
export function post(target, body, options = {}) {
  const plain = typeof body === "string" || body instanceof Uint8Array;
  const headers = plain ? options.headers : { "content-type": "application/json", ...options.headers };
  return { method: "POST", target, ...options, headers, body: plain ? body : JSON.stringify(body) };
}

/** What the host adds to a request from sealed parameters. */
export const credential = {
  /** `Authorization: Bearer <token>`. */
  bearer: (token) => made("bearer", { token }),
  /** `Authorization: Basic`; the user name is a text or sealed, the password is sealed or missing. */
  basic: (username, password) => made("basic", { username, password }),
  /** The same from the user part of a sealed URL parameter; nothing where the URL has none. */
  userOf: (parameter) => ({
    scheme: "basic",
    secrets: [["username", `${parameter}.user`], ["password", `${parameter}.password`]],
    settings: [],
  }),
  /** A header; its name is a text or sealed. */
  header: (name, value) => made("header", { name, value }),
  /** A parameter of the target's query; its name is a text or sealed. */
  query: (name, value) => made("query", { name, value }),
};

function made(scheme, roles) {
  const given = Object.entries(roles).filter(([, value]) => value !== undefined);
  const secrets = given.filter(([, value]) => value instanceof Sealed).map(([role, { parameter }]) => [role, parameter]);
  return { scheme, secrets, settings: given.filter(([, value]) => typeof value === "string") };
}

/** A response whose body has been read to its end. */
export class Response {
  constructor(status, headers, body) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** The first header of that name, in any case; undefined where there is none. */
  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([own]) => own.toLowerCase() === wanted)?.[1].trim();
  }

  /** The body as text. Throws a `bad-response` when it is not UTF-8. */
  text() {
    return utf8.decode(this.body);
  }

  /** The body as JSON. Throws a `bad-response` when it is none. */
  json() {
    try {
      return JSON.parse(this.text());
    } catch {
      throw Failure.badResponse("the answer is not JSON");
    }
  }

  /** Throws what a status that is not 2xx usually means; for requests with `anyStatus`. */
  check() {
    if (this.status >= 200 && this.status <= 299) return;
    const message = `answered ${this.status}${hint(this.status)}${this.#said()}`;
    throw new Failure(kind(this.status), message, { retryAfterMs: this.#retryAfterMs() });
  }

  /** The beginning of the body, where it is text. */
  #said() {
    try {
      const words = this.text().split(/\s+/).filter((word) => word !== "").join(" ");
      return words === "" ? "" : ` (${[...words.slice(0, 2 * REPEATED)].slice(0, REPEATED).join("")})`;
    } catch {
      return "";
    }
  }

  /** `Retry-After` in seconds; its other form, a date, is left alone. */
  #retryAfterMs() {
    const text = this.status === 429 || this.status === 503 ? this.header("retry-after") : undefined;
    return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) * 1000 : undefined;
  }
}

function kind(status) {
  if ([401, 403, 407].includes(status)) return "auth";
  if ([404, 410].includes(status)) return "not-found";
  if ([408, 504].includes(status)) return "timeout";
  if (status === 429) return "throttled";
  return status >= 500 && status <= 599 ? "unreachable" : "bad-response";
}

function hint(status) {
  if (status >= 300 && status <= 399) return ", and redirects are not followed: write the final address";
  if (status === 401 || status === 407) return ": check the credentials";
  return status === 403 ? ": the credentials do not suffice" : "";
}

/**
 * Answers members of a batch: every query's requests at once, every query as soon as it can be. Each member's `rounds` is an
 * iterator that yields requests and is given their responses. `send` gives [index, response or Failure] as they complete.
 */
export function drive(members, send, tell) {
  let asking = members.map((member) => ({ ...member, iterator: member.rounds() }));
  asking = asking.filter((member) => advance(member, undefined, tell));
  for (let round = 0; round < MAX_ROUNDS && asking.length > 0; round++) {
    asking = ask(asking, send, tell);
  }
  for (const member of asking) tell(member.query, Failure.internal(`asks for more after ${MAX_ROUNDS} rounds`));
}

/** One round; gives the members that ask for another. */
function ask(members, send, tell) {
  const places = [];
  for (const member of members) {
    member.responses = new Array(member.requests.length).fill(null);
    member.requests.forEach((request, place) => places.push({ member, request, place }));
  }
  const next = [];
  const waiting = new Set(members);
  const settle = (member, given) => {
    waiting.delete(member);
    if (advance(member, given, tell)) next.push(member);
  };
  for (const member of members) if (member.requests.length === 0) settle(member, []);
  if (places.length > 0) {
    const sent = places.map(({ member, request }) => ({ query: member.query, request: complete(request) }));
    for (const [index, result] of send(sent)) {
      const { member, request, place } = places[index] ?? {};
      if (member === undefined || !waiting.has(member)) continue;
      const response = checked(result, request);
      member.responses[place] = response;
      if (response instanceof Failure) settle(member, response);
      else if (!member.responses.includes(null)) settle(member, member.responses);
    }
  }
  for (const member of [...waiting]) settle(member, Failure.internal("the host told no answer"));
  return next;
}

function checked(result, request) {
  if (result instanceof Failure || request.anyStatus) return result;
  try {
    result.check();
    return result;
  } catch (error) {
    return Failure.of(error);
  }
}

/** Moves a member on with its responses, or the failure of one; whether it asks for more. */
function advance(member, given, tell) {
  try {
    const { iterator } = member;
    const { done, value } = given instanceof Failure ? iterator.throw(given) : iterator.next(given);
    if (!done) member.requests = value;
    else tell(member.query, value);
    return !done;
  } catch (error) {
    tell(member.query, error);
    return false;
  }
}

/** A request with all that the host needs. */
function complete(request) {
  const { endpoint = 0, method, target, headers = {}, body = "", credentials = [], timeoutMs = null } = request;
  return {
    endpoint,
    method,
    target,
    headers: Object.entries(headers).map(([name, value]) => [name, `${value}`]),
    body: typeof body === "string" ? utf8.encode(body) : body,
    credentials,
    timeoutMs,
    maxBody: request.maxBody ?? MAX_BODY,
  };
}
