// A conversation's side of its connection.
import { Failure } from "./failure.js";
import { utf8 } from "./text.js";

/** Longest input that a conversation may leave unread, in bytes. */
const MAX_INPUT = 4 << 20;

/**
 * What a scaler's `converse` speaks over. Its reading methods are generators, written `yield* connection.line()`: while one
 * conversation waits, the others of the batch go on.
 */
export class Connection {
  #input = new Uint8Array();
  #output = [];

  /** Whether it is new: log in first. Otherwise an earlier conversation left it in good order. */
  fresh = true;
  /** How long a new connection may stay silent before `lost` is thrown, in milliseconds; null: as long as the poll may last. */
  patienceMs = null;

  /** Sends bytes, or text as UTF-8, once the conversation waits. */
  write(data) {
    this.#output.push(typeof data === "string" ? utf8.encode(data) : data);
  }

  /** The bytes that have arrived and have not been read; at least one. */
  *some() {
    while (this.#input.length === 0) yield { want: "bytes" };
    return this.#take(this.#input.length);
  }

  /** That many bytes. */
  *exactly(count) {
    if (count > MAX_INPUT) throw Failure.badResponse(`the answer is longer than ${MAX_INPUT} bytes`);
    while (this.#input.length < count) yield { want: "bytes" };
    return this.#take(count);
  }

  /** The bytes up to a delimiter, which is read and left out. */
  *until(delimiter) {
    const end = typeof delimiter === "string" ? utf8.encode(delimiter) : delimiter;
    for (let from = 0; ; ) {
      const at = find(this.#input, end, from);
      if (at >= 0) return this.#take(at + end.length).slice(0, at);
      from = Math.max(0, this.#input.length - end.length + 1);
      yield { want: "bytes" };
    }
  }

  /** The text up to the end of a line, `\n` or `\r\n`. */
  *line() {
    const text = utf8.decode(yield* this.until("\n"));
    return text.endsWith("\r") ? text.slice(0, -1) : text;
  }

  /** TLS begins, on an endpoint whose TLS is an upgrade. */
  *startTls() {
    yield { want: "tls" };
  }

  /** Goes on over a connection to another endpoint of the plan; `fresh` tells again whether to log in. */
  *connect(endpoint) {
    yield { want: "endpoint", endpoint };
  }

  /** The same, to a host that the source named. Needs `learn` in the scaler's `needs`. */
  *learn(host, port) {
    yield { want: "peer", host, port };
  }

  /** Whether everything that arrived has been read. @internal */
  get empty() {
    return this.#input.length === 0;
  }

  /** @internal */
  arrived(bytes) {
    const joined = new Uint8Array(this.#input.length + bytes.length);
    joined.set(this.#input);
    joined.set(bytes, this.#input.length);
    this.#input = joined;
    if (joined.length > MAX_INPUT) throw Failure.badResponse(`the answer is longer than ${MAX_INPUT} bytes`);
  }

  /** What is to be sent. @internal */
  output() {
    const pieces = this.#output;
    this.#output = [];
    if (pieces.length === 1) return pieces[0];
    const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  /** Stands for another connection from now on. @internal */
  renew(fresh) {
    this.#input = new Uint8Array();
    this.#output = [];
    this.fresh = fresh;
  }

  #take(count) {
    const taken = this.#input.slice(0, count);
    this.#input = this.#input.slice(count);
    return taken;
  }
}

function find(bytes, wanted, from) {
  for (let at = from; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, place) => bytes[at + place] === byte)) return at;
  }
  return -1;
}
