// One batch over TCP: some conversations at a time, each moved on when its connection can be read.
import { Connection } from "./connection.js";
import { Failure } from "./failure.js";

/** Conversations at a time. More only cost the source connections: queries of a batch ask the same source. */
const CONVERSATIONS = 8;
/** Connections that a conversation may use one after the other. */
const CONNECTIONS = 16;
/** How much is read at once, in bytes. */
const PIECE = 64 << 10;
/** What is left of the budget for telling outcomes, in milliseconds. */
const RESERVE_MS = 20;

/**
 * Answers members of a batch. Each member's `converse(connection)` is a generator that yields what it waits for.
 * `network`: open(query, endpoint) -> [handle, fresh], startTls, write, read -> bytes, keep, drop, wait(handles, ms) -> indices,
 * learn, nowMs.
 */
export function drive(members, budgetMs, network, tell) {
  const end = network.nowMs() + Math.max(budgetMs - RESERVE_MS, 0);
  const waiting = [...members];
  let running = [];
  const start = (conversation) => {
    conversation.begin();
    return conversation;
  };
  for (let now = network.nowMs(); now < end; now = network.nowMs()) {
    while (running.length < CONVERSATIONS && waiting.length > 0) {
      const conversation = start(new Conversation(waiting.shift(), network, end, tell));
      if (conversation.open) running.push(conversation);
    }
    if (running.length === 0) return;
    const until = Math.min(...running.map((conversation) => conversation.until));
    const handles = running.map((conversation) => conversation.handle);
    const ready = new Set(network.wait(handles, Math.max(until - now, 0)));
    running.forEach((conversation, index) => ready.has(index) && conversation.read());
    const later = network.nowMs();
    if (later < end) running.filter((one) => one.open && one.until <= later).forEach((one) => one.impatient());
    running = running.filter((conversation) => conversation.open);
  }
  const late = () => Failure.timeout("no answer within the time of the poll");
  for (const conversation of running) conversation.fail(late());
  for (const member of waiting) tell(member.query, late());
}

/** A query with its conversation and its connection. */
class Conversation {
  constructor(member, network, end, tell) {
    Object.assign(this, { member, network, end, tell, open: true, handle: null, endpoint: 0, connections: 0 });
  }

  /** Begins, or begins anew: over the first endpoint. */
  begin() {
    this.connection = new Connection();
    this.generator = this.member.converse(this.connection);
    this.to(this.member.endpoint ?? 0);
  }

  /** Goes on over a connection to an endpoint. */
  to(endpoint) {
    if (this.connections >= CONNECTIONS) {
      return this.fail(Failure.badResponse("the source sends on from one address to the next without end"));
    }
    let opened;
    try {
      opened = this.network.open(this.member.query, endpoint);
    } catch (error) {
      return this.fail(error);
    }
    this.connections += 1;
    this.endpoint = endpoint;
    this.handle = opened[0];
    this.connection.renew(opened[1]);
    this.silent = true;
    this.advance(() => this.generator.next());
    this.share();
  }

  /** A silent connection has as long as the conversation is patient; what has spoken has all of the time. */
  share() {
    const { patienceMs } = this.connection;
    const given = this.silent && patienceMs !== null ? this.network.nowMs() + patienceMs : this.end;
    this.until = Math.min(given, this.end);
  }

  /** Reads what has arrived and moves the conversation on. */
  read() {
    let bytes;
    try {
      bytes = this.network.read(this.handle, PIECE, 1);
    } catch (error) {
      // Even where it is a timeout: a connection that can be read and gives nothing was not made in time.
      return this.broken(Failure.of(error));
    }
    if (bytes.length === 0) {
      return this.broken(Failure.unreachable("the source closed the connection before it answered"));
    }
    this.silent = false;
    this.until = this.end;
    this.advance(() => {
      this.connection.arrived(bytes);
      return this.generator.next();
    });
  }

  impatient() {
    this.lost(Failure.timeout("no answer within its share of the time"));
  }

  /** A connection that failed. One that had been kept may have been closed meanwhile: the conversation begins anew. */
  broken(failure) {
    const stale = this.silent && !this.connection.fresh && this.connections < CONNECTIONS;
    if (!stale) return this.lost(failure);
    this.drop();
    this.begin();
  }

  /** A connection that is of no more use: the conversation is thrown the failure, and may connect elsewhere. */
  lost(failure) {
    this.drop();
    this.advance(() => this.generator.throw(failure));
  }

  /** Moves the conversation on, sends what was written, and does what it asks for. */
  advance(move) {
    let step;
    try {
      step = move();
    } catch (error) {
      return this.fail(error);
    }
    if (step.done) return this.finish(step.value);
    const { want } = step.value;
    if (this.handle === null && want !== "endpoint" && want !== "peer") {
      return this.fail(Failure.internal("after a connection was lost, a conversation can only connect to another endpoint"));
    }
    try {
      if (this.handle !== null) this.send();
    } catch (error) {
      return this.broken(Failure.of(error));
    }
    if (want !== "bytes") this.turn(step.value);
  }

  /** TLS, or another connection. */
  turn({ want, endpoint, host, port }) {
    try {
      if (want === "tls") this.network.startTls(this.handle);
      if (want === "peer") endpoint = this.network.learn(this.member.query, this.endpoint, host, port);
    } catch (error) {
      return this.fail(error);
    }
    if (want === "tls") {
      this.connection.renew(this.connection.fresh);
      return this.advance(() => this.generator.next());
    }
    this.leave();
    this.to(endpoint);
  }

  send() {
    const output = this.connection.output();
    if (output.length > 0) this.network.write(this.handle, output);
  }

  /** An answer: a value, or a Failure that is returned, after which the connection is still good. */
  finish(answer) {
    try {
      if (this.handle !== null) this.send();
    } catch {
      this.drop();
    }
    this.tell(this.member.query, answer);
    this.leave();
    this.open = false;
  }

  fail(error) {
    this.drop();
    this.tell(this.member.query, error);
    this.open = false;
  }

  /** Keeps a connection that stands between two exchanges; any other is closed. */
  leave() {
    if (this.handle !== null && this.connection.empty) {
      this.network.keep(this.handle);
      this.handle = null;
    }
    this.drop();
  }

  drop() {
    if (this.handle !== null) this.network.drop(this.handle);
    this.handle = null;
  }
}
