//! The stages with fakes of what is around them, in paused time.
mod drive;
mod fake;
mod prepare;
