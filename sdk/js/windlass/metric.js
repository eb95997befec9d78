/** A metric's name as KEDA writes it: `/`, `.`, `:`, `%` and parentheses become `-`. */
export function normalize(name) {
  return name.replace(/[/.:%()]/g, "-");
}
