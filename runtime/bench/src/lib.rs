//! Benchmarks that start the real thing and print what they measured: one JSON object a line, with the work described in
//! it. Ratios come from one run; a figure alone says little, since machines differ.
pub mod contained;
pub mod figure;
mod guest;
pub mod joint;
pub mod languages;
pub mod load;
pub mod responder;
pub mod ten_thousand;
mod usage;
