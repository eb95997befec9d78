// Addresses that users write.
import { Problem } from "./failure.js";
import { percentEncode } from "./text.js";

/** An absolute URL that the user wrote in a parameter. The host has checked its form. */
export class Url {
  /** Parses an absolute URL; throws a Problem of the parameter. */
  static parse(parameter, text) {
    const wrong = (message) => new Problem(parameter, message);
    const parts = /^([^:/?#]+):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(text);
    if (parts === null) throw wrong("is not an absolute URL: write it with its scheme");
    const [, scheme, authority, path, query] = parts;
    const at = authority.lastIndexOf("@");
    // The colons of an IPv6 address stand in brackets.
    const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(authority.slice(at + 1)) ?? [];
    if (host === undefined || host === "" || host === "[]") throw wrong("names no host");
    const url = new Url();
    url.parameter = parameter;
    url.scheme = scheme.toLowerCase();
    url.host = host.replace(/^\[(.*)\]$/, "$1");
    url.port = port === undefined || port === "" ? null : portOf(parameter, port);
    url.path = path;
    url.query = query ?? null;
    url.hasUser = at >= 0;
    return url;
  }

  /** The endpoint of an `http` or `https` URL; `tls` counts for `https` alone. Throws a Problem for any other scheme. */
  endpoint(tls = {}) {
    if (this.scheme !== "http" && this.scheme !== "https") {
      throw new Problem(this.parameter, "is neither an http nor an https URL");
    }
    const secure = this.scheme === "https";
    const { parameter, host } = this;
    return { parameter, host, port: this.port ?? (secure ? 443 : 80), tls: secure ? tls : null };
  }

  /**
   * The request target: the URL's path and then `path` (from `/`, taken as it is), the URL's query and then `query`, an
   * object whose names and values are encoded here.
   */
  target(path = "", query = {}) {
    const base = path === "" ? this.path : this.path.replace(/\/+$/, "");
    const whole = `${base}${path}`;
    const pairs = Object.entries(query).map(([name, value]) => `${percentEncode(name)}=${percentEncode(`${value}`)}`);
    if (this.query) pairs.unshift(this.query);
    return `${whole.startsWith("/") ? "" : "/"}${whole}${pairs.length > 0 ? "?" : ""}${pairs.join("&")}`;
  }
}

/** An address `host:port` that the user wrote in a parameter. */
export class Address {
  /** Parses `host:port`; throws a Problem of the parameter. */
  static parse(parameter, text) {
    const parts = /^(\[[^\]]+\]|[^:]+):([^:]*)$/.exec(text);
    if (parts === null) throw new Problem(parameter, "is not an address: write host:port");
    const address = new Address();
    address.parameter = parameter;
    address.host = parts[1].replace(/^\[(.*)\]$/, "$1");
    address.port = portOf(parameter, parts[2]);
    return address;
  }

  /** The endpoint; with `tls` it is spoken to in TLS. */
  endpoint(tls = null) {
    return { parameter: this.parameter, host: this.host, port: this.port, tls };
  }
}

function portOf(parameter, text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new Problem(parameter, "names a port that is not between 1 and 65535");
  return port;
}
