#![doc = include_str!("../README.md")]

mod bundle;
mod classifier;
mod error;
mod label;
mod model;
mod prediction;
mod report;
mod rows;
mod runtime;
mod vectors;

pub use bundle::Link;
pub use classifier::Classifier;
pub use error::Error;
pub use label::Label;
pub use prediction::Prediction;
pub use report::Report;
pub use rows::Rows;
pub use runtime::environment;
pub use vectors::Vectors;
