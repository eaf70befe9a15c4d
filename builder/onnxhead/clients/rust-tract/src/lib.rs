#![doc = include_str!("../README.md")]

mod bundle;
mod classifier;
mod error;
mod label;
mod model;
mod operators;
mod prediction;
mod report;
mod rows;
mod vectors;

pub use bundle::Link;
pub use classifier::Classifier;
pub use error::Error;
pub use label::Label;
pub use prediction::Prediction;
pub use report::Report;
pub use rows::Rows;
pub use vectors::Vectors;
