//! Kubernetes quantities: `50m`, `128Mi`, `1`.

/// The quantity in thousandths, so that CPU and bytes fit in one number; 0 for what cannot be read.
pub(super) fn millis(text: &str) -> u128 {
    let at = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor: u128 = match unit {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        _ => return 0,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse().unwrap_or(0);
    let scale = 10_u128.pow(u32::try_from(part.len()).unwrap_or(0));
    whole * factor + part.parse::<u128>().unwrap_or(0) * factor / scale
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn quantities_are_read() {
        assert_eq!(millis("50m"), 50);
        assert_eq!(millis("1"), 1_000);
        assert_eq!(millis("1.5"), 1_500);
        assert_eq!(millis("128Mi"), 128 * 1_024 * 1_024 * 1_000);
        assert_eq!(millis("nonsense"), 0);
    }
}
