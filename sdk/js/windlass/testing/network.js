// A network that a test plays. Time passes only in a wait that nothing ends.
import { Failure } from "../failure.js";

/** The number of the first endpoint that is learned. */
const LEARNED = 1_000;

export class Network {
  /** What a source gives to close the connection. */
  static CLOSE = Symbol("close");

  #reply;
  #now = 0;
  #kept = [];
  #opened = 0;
  #learned = [];

  constructor(reply) {
    this.#reply = reply;
  }

  nowMs() {
    return this.#now;
  }

  open(_query, endpoint) {
    const place = this.#kept.findIndex((kept) => kept.endpoint === endpoint);
    if (place >= 0) return [this.#kept.splice(place, 1)[0], false];
    return [{ number: this.#opened++, endpoint, pending: [], closed: false }, true];
  }

  startTls() {}

  write(connection, bytes) {
    if (this.#reply === undefined) throw new Error("bytes are sent, but the test has no source");
    const given = this.#reply(bytes, connection.endpoint, connection.number);
    if (given === Network.CLOSE) connection.closed = true;
    else if (given !== null) connection.pending.push(...(typeof given === "string" ? new TextEncoder().encode(given) : given));
  }

  read(connection, max) {
    if (connection.pending.length === 0 && !connection.closed) {
      throw Failure.timeout("the source did not accept a connection in time");
    }
    return Uint8Array.from(connection.pending.splice(0, max));
  }

  keep(connection) {
    this.#kept.push(connection);
  }

  drop() {}

  wait(connections, timeoutMs) {
    const ready = [...connections.keys()].filter((index) => {
      const { closed, pending } = connections[index];
      return closed || pending.length > 0;
    });
    if (ready.length === 0) this.#now += timeoutMs;
    return ready;
  }

  learn(_query, _parent, host, port) {
    const peer = `${host}:${port}`;
    if (!this.#learned.includes(peer)) this.#learned.push(peer);
    return LEARNED + this.#learned.indexOf(peer);
  }
}

/** For a test's `reply`. */
export const close = Network.CLOSE;
