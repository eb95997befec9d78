//! The edge against an API server that remembers every request.
