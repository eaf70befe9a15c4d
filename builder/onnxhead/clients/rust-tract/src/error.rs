use std::io;
use std::path::{Path, PathBuf};

use crate::Label;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a bundle was not loaded, or rows were not classified.
///
/// The message states the rule, what was found and the remedy; [`source`](std::error::Error::source) is the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no `head.json` in the folder.
    #[error(
        "a bundle must have a head.json, {} has none: name the bundle's folder, or copy the bundle again, as a whole",
        folder.display()
    )]
    NoHead {
        /// The folder.
        folder: PathBuf,
    },

    /// A file of the bundle is missing or cannot be read.
    #[error("a bundle must hold {}, it cannot be read: copy the bundle again, as a whole", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// `head.json` or `vectors.json` is not what onnxhead ships.
    #[error("{} must be as onnxhead ships it, it is not: copy the bundle again, as a whole", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Cause,
    },

    /// The bundle is of another format.
    #[error(
        "this client reads bundles of format 1, {} states {format:?}: ship it again with the onnxhead that this \
         client came with",
        path.display()
    )]
    Format {
        /// The file that states it.
        path: PathBuf,
        /// The format that is stated.
        format: String,
    },

    /// The model or its data file is not the one that was shipped.
    #[error(
        "{} must be the file that was shipped, its SHA-256 is {found} and head.json states {stated}: copy the \
         bundle again, as a whole",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its SHA-256 in hexadecimal.
        found: String,
        /// The one in `head.json`.
        stated: String,
    },

    /// The runtime refuses the model.
    #[error(
        "{} must load in the runtime, it refuses it: take a newer runtime, or copy the bundle again, as a whole",
        path.display()
    )]
    Model {
        /// The model.
        path: PathBuf,
        /// The error of the runtime.
        source: Cause,
    },

    /// The model has other inputs or outputs than `head.json` states.
    #[error(
        "the model must have the inputs and outputs that head.json states, {stated}; it has {found}: copy the \
         bundle again, as a whole"
    )]
    Signature {
        /// Inputs and outputs in `head.json`.
        stated: String,
        /// Inputs and outputs of the model.
        found: String,
    },

    /// The model has other labels than `head.json` states.
    #[error(
        "the labels in head.json must be those in the model's metadata, they are others: copy the bundle again, \
         as a whole"
    )]
    Labels {
        /// The labels in `head.json`.
        stated: Vec<Label>,
        /// The model's metadata; none where its classes are numbered from 0.
        found: Option<String>,
    },

    /// A row has more or fewer features than the head.
    #[error(
        "a row must have {expected} features, got {given}: pass those that the head was trained on, in their order"
    )]
    Width {
        /// How many features the head has.
        expected: usize,
        /// How many the row has.
        given: usize,
    },

    /// The values are no whole number of rows.
    #[error(
        "rows of {width} features must be whole, got {values} values: pass {width} for each row"
    )]
    Ragged {
        /// How many features a row has.
        width: usize,
        /// How many values were given.
        values: usize,
    },

    /// No labels were asked for.
    #[error("k must be at least 1, got 0")]
    Top,

    /// The runtime failed to run the model.
    #[error(
        "the runtime must answer every row, it failed on a batch of {rows}: check that there is memory for them"
    )]
    Inference {
        /// How many rows the batch has.
        rows: usize,
        /// The error of the runtime.
        source: Cause,
    },
}

impl Error {
    pub(crate) fn malformed(path: &Path, cause: impl Into<Cause>) -> Self {
        Self::Malformed {
            path: path.into(),
            source: cause.into(),
        }
    }
}
