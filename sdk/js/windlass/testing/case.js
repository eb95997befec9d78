// What a case says, and how something differs from it.
import { Network } from "./network.js";

/** A source that plays an exchange: each entry is asked for once, in any order. */
export class Script {
  #left;
  #unexpected = [];

  constructor(exchange) {
    this.#left = [...exchange];
  }

  respond = ({ method, target, headers, body, credentials }) => {
    const content = new TextDecoder().decode(body);
    const carried = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
    const told = credentials.map(words);
    const fits = (entry) =>
      entry.request === `${method} ${target}` &&
      Object.entries(entry.headers ?? {}).every(([name, value]) => carried.get(name.toLowerCase()) === value) &&
      same(entry.credentials ?? [], told) &&
      (entry.content ?? "") === content;
    const entry = this.#take(fits, `${method} ${target} ${JSON.stringify({ headers, credentials: told, content })}`);
    if (entry === undefined) return { status: 599 };
    return { status: entry.status || 200, headers: entry.answer_headers ?? {}, body: entry.body ?? "" };
  };

  reply = (bytes) => {
    const sent = new TextDecoder().decode(bytes);
    const entry = this.#take((one) => one.sent === sent, JSON.stringify(sent));
    return entry === undefined ? Network.CLOSE : entry.reply ?? null;
  };

  /** What was asked and is not in the script, or the reverse. */
  left() {
    if (this.#unexpected.length > 0) return `asked what the case does not say: ${this.#unexpected.join("; ")}`;
    return this.#left.length > 0 ? `never asked: ${JSON.stringify(this.#left)}` : null;
  }

  #take(fits, asked) {
    const place = this.#left.findIndex(fits);
    if (place < 0) {
      this.#unexpected.push(asked);
      return undefined;
    }
    return this.#left.splice(place, 1)[0];
  }
}

/** A credential as a case writes it: `scheme role=name …`. */
function words({ scheme, secrets, settings }) {
  return [scheme, ...[...secrets, ...settings].map(([role, name]) => `${role}=${name}`)].join(" ");
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const differs = (what, found, expected) =>
  same(found, expected) ? null : `${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`;

export const difference = {
  /** Of a plan, or an array of Problems. */
  plan(plan, { problems, metrics, endpoints }) {
    if (Array.isArray(plan)) {
      const parts = (one) => problems[one.parameter ?? ""];
      const fits = plan.length === Object.keys(problems).length && plan.every((one) => one.message.includes(parts(one) ?? "\0"));
      return fits ? null : `problems: ${plan.map((one) => one.toString()).join("; ")} instead of ${JSON.stringify(problems)}`;
    }
    if (Object.keys(problems).length > 0) return "no problem was found";
    const fixed = (plan.metrics.val ?? []).map(({ name, target, activation }) => [name, target, activation]);
    const places = plan.endpoints.map(({ host, port, tls }) => `${host}:${port}${tls ? " tls" : ""}`);
    return differs("metrics", fixed, metrics) ?? differs("endpoints", places, endpoints);
  },

  /** Of an outcome. */
  outcome({ tag, val }, { values = null, active = null, next = null, failed = null, message = "" }) {
    if (tag === "pending") return "is pending";
    if (tag === "failed") {
      const fits = val.kind === failed && val.message.includes(message);
      return fits ? null : `failed as ${val.kind} (${val.message}) instead of ${failed ?? "a value"} (${message})`;
    }
    const moment = next === null ? null : Date.parse(next);
    return (
      differs("failure", null, failed) ??
      differs("values", val.values, values) ??
      differs("active", val.active, active) ??
      differs("next", val.nextMs, moment)
    );
  },
};
