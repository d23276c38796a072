//! The form of a row of the `edits` table: what one commit gathered for a file, each update (v1) as varUint length + bytes.

/// Appends one update to a row's data.
pub(super) fn append(data: &mut Vec<u8>, update: &[u8]) {
    let mut rest = update.len();
    while rest >= 0x80 {
        data.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    data.push(rest as u8);
    data.extend_from_slice(update);
}

/// The updates of a row, in order. Ends early at bytes that are no row ([`is_whole`] tells).
pub(super) fn updates(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (update, after) = split_first(rest)?;
        rest = after;
        Some(update)
    })
}

/// Whether the data is exactly `count` updates.
#[must_use]
pub(super) fn is_whole(data: &[u8], count: u64) -> bool {
    let (mut rest, mut seen) = (data, 0);
    while let Some((_, after)) = split_first(rest) {
        rest = after;
        seen += 1;
    }
    rest.is_empty() && seen == count
}

fn split_first(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift) = (0_usize, 0);
    for (index, &byte) in data.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return data.get(index + 1..)?.split_at_checked(length);
        }
        shift += 7;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_back() {
        let long = vec![7; 70_000];
        let mut data = Vec::new();
        for update in [&b"a"[..], b"", &long, &long[..127], &long[..128]] {
            append(&mut data, update);
        }
        let read: Vec<&[u8]> = updates(&data).collect();
        assert_eq!(read, [&b"a"[..], b"", &long, &long[..127], &long[..128]]);
        assert!(is_whole(&data, 5));
        assert!(!is_whole(&data, 4));
    }

    #[test]
    fn a_cut_row_is_not_whole() {
        let mut data = Vec::new();
        append(&mut data, b"abc");
        data.pop();
        assert!(!is_whole(&data, 1));
        assert_eq!(updates(&data).count(), 0);
    }
}
