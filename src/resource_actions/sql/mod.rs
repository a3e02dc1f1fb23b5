//! SQL: from the text of a statement to what it needs
