//! The program, as its users start it.
mod author;
mod page;
mod program;
mod refusal;
mod source;
