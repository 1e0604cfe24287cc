//! Tables of text.

/// Between two columns.
const GAP: &str = "  ";

/// At which edge of its column a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Words begin there.
    Left,
    /// Numbers end there.
    Right,
}

/// Rows of as many cells as there are columns.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    edges: [Edge; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these heads.
    #[must_use]
    pub fn new(columns: [(&str, Edge); N]) -> Self {
        Self {
            edges: columns.map(|(_, edge)| edge),
            rows: vec![columns.map(|(head, _)| head.to_owned())],
        }
    }

    /// A table without heads.
    #[must_use]
    pub fn bare(edges: [Edge; N]) -> Self {
        Self {
            edges,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// How many rows it has, the heads included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As text, a line a row.
    #[must_use]
    pub fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(widths).zip(self.edges);
            let cells: Vec<String> = cells
                .map(|((cell, width), edge)| match edge {
                    Edge::Left => format!("{cell:<width$}"),
                    Edge::Right => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new([("NAME", Edge::Left), ("SIZE", Edge::Right)]);
        assert_eq!(table.text(), "NAME  SIZE\n");
        table.row(["é".to_owned(), "12345".to_owned()]);
        table.row(["longer".to_owned(), "1".to_owned()]);
        assert_eq!(
            table.text(),
            "NAME     SIZE\né       12345\nlonger      1\n"
        );
        assert_eq!(table.len(), 3);
        let bare = Table::bare([Edge::Left]);
        assert!(bare.is_empty() && bare.text().is_empty());
    }
}
