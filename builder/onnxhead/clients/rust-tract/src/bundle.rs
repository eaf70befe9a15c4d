use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{Error, Label};

const FORMAT: &str = "1";

/// How logits become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Probabilities that sum to 1.
    Softmax,
    /// Independent labels, each with its own sigmoid.
    Sigmoid,
    /// One-vs-rest: sigmoids, divided by their sum.
    Ovr,
}

/// What `head.json` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    pub model: String,
    pub sha256: BTreeMap<String, String>,
    pub inputs: [String; 1],
    pub outputs: [String; 2],
    pub features: NonZeroUsize,
    pub classes: usize,
    pub labels: Vec<Label>,
    pub link: Link,
}

impl Head {
    /// Reads `head.json`, and holds the model and its data files to the hashes in it.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("head.json");
        if !path.exists() {
            return Err(Error::NoHead {
                folder: folder.into(),
            });
        }
        let head: Self = read_document(&path)?;
        if let Some(contradiction) = head.contradiction() {
            return Err(Error::malformed(&path, contradiction));
        }
        for (name, stated) in &head.sha256 {
            check_hash(folder.join(name), stated)?;
        }
        Ok(head)
    }

    fn contradiction(&self) -> Option<String> {
        let (classes, labels) = (self.classes, self.labels.len());
        if labels != classes {
            Some(format!("it states {classes} classes and {labels} labels"))
        } else if !self.sha256.contains_key(&self.model) {
            Some(format!("it states no SHA-256 of {}", self.model))
        } else {
            None
        }
    }

    /// Compares what is stated of inputs and outputs with those of the model, each as [`describe`] puts it.
    pub fn check_signature(&self, inputs: &[String], outputs: &[String]) -> Result<(), Error> {
        let features = self.features.get();
        let stated_inputs = self.inputs.each_ref().map(|name| describe(name, features));
        let stated_outputs = self
            .outputs
            .each_ref()
            .map(|name| describe(name, self.classes));
        if inputs == stated_inputs && outputs == stated_outputs {
            return Ok(());
        }
        let join = |inputs: &[String], outputs: &[String]| {
            inputs.join(", ") + " -> " + &outputs.join(", ")
        };
        Err(Error::Signature {
            stated: join(&stated_inputs, &stated_outputs),
            found: join(inputs, outputs),
        })
    }

    /// Compares the labels with the model's metadata `onnxhead.labels`, a JSON array; without it they are numbers.
    pub fn check_labels(&self, metadata: Option<String>) -> Result<(), Error> {
        let same = match &metadata {
            Some(json) => {
                serde_json::from_str::<Vec<Label>>(json).is_ok_and(|labels| labels == self.labels)
            }
            None => (0..)
                .map(Label::Integer)
                .zip(&self.labels)
                .all(|(number, label)| number == *label),
        };
        if same {
            return Ok(());
        }
        Err(Error::Labels {
            stated: self.labels.clone(),
            found: metadata,
        })
    }
}

/// One input or output that is a float32 matrix with any number of rows.
pub(crate) fn describe(name: &str, columns: impl Display) -> String {
    format!("{name} [batch, {columns}]")
}

/// Reads a JSON file of the format that this client knows.
pub(crate) fn read_document<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Version {
        format: String,
    }

    let text = fs::read(path).map_err(|source| Error::Unreadable {
        path: path.into(),
        source,
    })?;
    let malformed = |cause| Error::malformed(path, cause);
    let Version { format } = serde_json::from_slice(&text).map_err(malformed)?;
    if format != FORMAT {
        return Err(Error::Format {
            path: path.into(),
            format,
        });
    }
    serde_json::from_slice(&text).map_err(malformed)
}

fn check_hash(path: PathBuf, stated: &str) -> Result<(), Error> {
    match sha256(&path) {
        Ok(found) if found == stated => Ok(()),
        Ok(found) => Err(Error::Changed {
            path,
            found,
            stated: stated.into(),
        }),
        Err(source) => Err(Error::Unreadable { path, source }),
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    let mut hexadecimal = String::new();
    for byte in digest.finalize() {
        let _ = write!(hexadecimal, "{byte:02x}"); // a String takes everything
    }
    Ok(hexadecimal)
}
