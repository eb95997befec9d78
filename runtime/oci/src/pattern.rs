//! Patterns: `*` for any characters but a slash, `**` for any at all.

/// Whether the whole text fits the pattern. Linear in the product of both lengths; both are short.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // reachable[t]: the pattern so far can end at t.
    let mut reachable = vec![false; text.len() + 1];
    reachable[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let star = pattern[at] == b'*';
        let deep = star && pattern.get(at + 1) == Some(&b'*');
        if star {
            for t in 0..text.len() {
                reachable[t + 1] |= reachable[t] && (deep || text[t] != b'/');
            }
        } else {
            for t in (0..text.len()).rev() {
                reachable[t + 1] = reachable[t] && text[t] == pattern[at];
            }
            reachable[0] = false;
        }
        at += if deep { 2 } else { 1 };
    }
    reachable[text.len()]
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_what_they_say() {
        let fits =
            ["a/b", "a/*", "*/b", "**", "a/**", "a*b".replace('*', "**").as_str(), "a/b**"].map(|p| glob(p, "a/b"));
        assert_eq!(fits, [true; 7]);
        let not = ["a", "*", "a/", "/b", "a/b/", "a*b", "", "a/b/*", "a/*/b"].map(|p| glob(p, "a/b"));
        assert_eq!(not, [false; 9]);
        assert!(glob("registry.example/acme/**", "registry.example/acme/team/q"));
        assert!(!glob("registry.example/acme/*", "registry.example/acme/team/q"));
        assert!(!glob("registry.example/acme/**", "registry.example/acme"));
        assert!(glob("", "") && glob("*", "") && !glob("a", ""));
        assert!(glob(&"*a".repeat(20), &"a".repeat(200)));
    }
}
