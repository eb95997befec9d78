// What a scaler is, and how it answers a batch.
import { Failure, Problem } from "./failure.js";
import * as http from "./http.js";
import { declare, read } from "./parameter.js";
import { failed, metric, outcome } from "./reading.js";
import * as tcp from "./tcp.js";

const KNOWN = [
  "name", "version", "triggers", "parameters", "needs", "openEnded", "configure",
  "requests", "parse", "rounds", "converse", "read",
];

/**
 * Declares a scaler. It asks in one of four ways: `requests` and `parse` over HTTP; `rounds`, a generator, over HTTP in several
 * rounds; `converse`, a generator, over TCP; `read` asks nobody.
 */
export function defineScaler(definition) {
  const { name, version = "0.1.0", triggers = [name], parameters = {}, needs = [], openEnded = false } = definition;
  if (typeof name !== "string" || name === "") throw new TypeError("name: a scaler has one");
  const odd = Object.keys(definition).find((key) => !KNOWN.includes(key));
  if (odd !== undefined) throw new TypeError(`${odd}: there is no such thing; write ${KNOWN.join(", ")}`);
  if (typeof definition.configure !== "function") throw new TypeError("configure: a function is missing");
  const ways = ["requests", "rounds", "converse", "read"].filter((way) => typeof definition[way] === "function");
  if (ways.length !== 1) throw new TypeError("write one of requests (with parse), rounds, converse and read");
  if (ways[0] === "requests" && typeof definition.parse !== "function") throw new TypeError("parse: a function is missing");
  return new Scaler(definition, { name, version, triggers, parameters: declare(parameters), openEnded, needs });
}

class Scaler {
  constructor(definition, info) {
    this.definition = definition;
    /** The contract's info. */
    this.info = info;
  }

  /** The plan of a trigger, or an array of Problems. Whatever is thrown becomes one. */
  configure(trigger) {
    try {
      const parameters = read(this.info.parameters, trigger.values);
      const answer = this.definition.configure(parameters, trigger);
      if (!Array.isArray(answer)) return plan(answer);
      if (answer.length > 0 && answer.every((one) => one instanceof Problem)) return answer;
      return [new Problem(null, "configure gave a list that is not one of problems")];
    } catch (thrown) {
      if (Array.isArray(thrown)) return thrown;
      return [thrown instanceof Problem ? thrown : new Problem(null, `the scaler failed: ${thrown}`)];
    }
  }

  /**
   * Answers a batch. `host`: send, network and random as the component or a test has them, log(level, query, message), and
   * put(query, outcome).
   */
  poll(batch, host) {
    const tell = (query, answer) => host.put(query, told(query, answer, host));
    const members = [];
    batch.queries.forEach(({ trigger, state }, query) => {
      const at = (level) => (message) => host.log(level, query, `${message}`);
      const log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
      const { nowMs, budgetMs } = batch;
      const context = { nowMs, budgetMs, trigger, state, log, random: host.random };
      try {
        members.push({ query, context, parameters: read(this.info.parameters, trigger.values) });
      } catch (thrown) {
        const failure = Array.isArray(thrown) ? Failure.invalid(thrown.map((one) => one.toString()).join("; ")) : thrown;
        tell(query, failure);
      }
    });
    const { requests, parse, rounds, converse, read: local } = this.definition;
    if (local) {
      for (const { query, parameters, context } of members) tell(query, attempt(() => local(parameters, context)));
    } else if (converse) {
      const begin = ({ query, parameters, context }) => ({ query, converse: (wire) => converse(parameters, context, wire) });
      tcp.drive(members.map(begin), batch.budgetMs, host.network, tell);
    } else {
      const once = function* (parameters, context) {
        return parse(parameters, context, yield requests(parameters, context));
      };
      const begin = ({ query, parameters, context }) => ({ query, rounds: () => (rounds ?? once)(parameters, context) });
      http.drive(members.map(begin), host.send, tell);
    }
  }
}

function attempt(answer) {
  try {
    return answer();
  } catch (error) {
    return error;
  }
}

/** The contract's outcome of whatever a query came to. */
function told(query, answer, host) {
  try {
    if (!(answer instanceof Error)) return outcome(answer);
    // Where it happened, for the author; the stack names functions and lines, not values.
    if (!(answer instanceof Failure || answer instanceof Problem)) host.log("error", query, `${answer.stack}`);
    return failed(Failure.of(answer));
  } catch (error) {
    return failed(Failure.of(error));
  }
}

/** The contract's plan. */
function plan({ metrics, endpoints = [], group = "", requests = endpoints.length }) {
  const fixed = () => ({ tag: "fixed", val: metrics.map(metric) });
  return {
    metrics: metrics === "discovered" ? { tag: "discovered" } : fixed(),
    endpoints: endpoints.map((endpoint) => ({ ...endpoint, tls: endpoint.tls ? tls(endpoint.tls) : null })),
    group,
    requests,
  };
}

/** The contract's TLS: verified unless said otherwise, the material by its parameters' names. */
function tls({ upgrade = false, serverName = null, verify = true, ca, certificate, key, keyPassword }) {
  const name = (sealed) => sealed?.parameter ?? null;
  const client = { certificate: name(certificate), key: name(key), keyPassword: name(keyPassword) };
  return { upgrade, serverName, verify, ca: name(ca), ...client };
}
