use crate::Error;

/// Rows of features, one after another in memory: borrowed and never copied.
///
/// ```
/// use onnxhead_client::{Error, Rows};
///
/// let values = vec![0.5, 0.8, 1.2, 0.1, 0.2, 0.3]; // two rows of three features
/// let rows = Rows::new(&values, 3)?;
/// assert_eq!(rows.len(), 2);
/// assert_eq!(rows, Rows::from(&[[0.5, 0.8, 1.2], [0.1, 0.2, 0.3]]));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// Takes values as rows of `width` features; no values are no rows.
    ///
    /// # Errors
    ///
    /// [`Error::Ragged`]: the values are no whole number of rows.
    pub fn new(values: &'a [f32], width: usize) -> Result<Self, Error> {
        if !values.len().is_multiple_of(width) {
            return Err(Error::Ragged {
                width,
                values: values.len(),
            });
        }
        Ok(Self { values, width })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many features a row has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The features, row by row.
    #[must_use]
    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}

impl<'a, const WIDTH: usize, const LEN: usize> From<&'a [[f32; WIDTH]; LEN]> for Rows<'a> {
    fn from(rows: &'a [[f32; WIDTH]; LEN]) -> Self {
        Self::from(rows.as_slice())
    }
}

impl<'a, const WIDTH: usize> From<&'a [[f32; WIDTH]]> for Rows<'a> {
    fn from(rows: &'a [[f32; WIDTH]]) -> Self {
        Self {
            values: rows.as_flattened(),
            width: WIDTH,
        }
    }
}
