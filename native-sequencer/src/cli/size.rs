//! Sizes on the command line: `512MiB`, `32GiB`, `all`.

/// Reads how much room there is for something, in bytes: a number of MiB, GiB or TiB, or `all`, which is as much as there is.
///
/// # Errors
/// It is neither.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    if text == "all" {
        return Ok(u64::MAX);
    }
    let shift = |unit| match unit {
        "MiB" => Some(20),
        "GiB" => Some(30),
        "TiB" => Some(40),
        _ => None,
    };
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let bytes = number.zip(shift(unit)).and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "give a number of MiB, GiB or TiB, such as 32GiB, or all".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::limits::KEEP_COLUMNS;

    #[test]
    fn a_size_has_a_unit_or_is_all() {
        assert_eq!(parse("512MiB"), Ok(512 << 20));
        assert_eq!(parse("32GiB"), Ok(KEEP_COLUMNS), "the default is what --help says");
        assert_eq!(parse("0TiB"), Ok(0));
        assert_eq!(parse("all"), Ok(u64::MAX));
        for wrong in ["", "7", "GiB", "-1GiB", "1.5GiB", "32GB", "99999999TiB", "ALL"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
