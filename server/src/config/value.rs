//! The types a setting can have: how each is read from text, shown again, and named for people.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

/// A type that a setting can have. Whatever `show` gives is read back by `parse` as the same value.
pub trait SettingValue: Sized {
    /// What may be written, for people: "a whole number", "a duration such as `30s`".
    const KIND: &'static str;
    /// Whether the value must never be shown.
    const SECRET: bool = false;

    /// Reads it; the error completes the sentence "… must be".
    fn parse(text: &str) -> Result<Self, String>;

    /// Writes it so that `parse` reads it.
    fn show(&self) -> String;
}

macro_rules! whole_numbers {
    ($($ty:ty),*) => {$(
        impl SettingValue for $ty {
            const KIND: &'static str = "a whole number";

            fn parse(text: &str) -> Result<Self, String> {
                text.replace('_', "").parse().map_err(|_| format!("{} from 0 to {}", Self::KIND, Self::MAX))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
whole_numbers!(u32, u64, usize);

impl SettingValue for bool {
    const KIND: &'static str = "`true` or `false`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(Self::KIND.into()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for String {
    const KIND: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl SettingValue for PathBuf {
    const KIND: &'static str = "a path";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path that is not empty".into()) } else { Ok(text.into()) }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl SettingValue for SocketAddr {
    const KIND: &'static str = "an address and port such as `127.0.0.1:7878`";

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        text.parse().map_err(|_| Self::KIND.into())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Names and units of durations, largest first.
const DURATION_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl SettingValue for Duration {
    const KIND: &'static str = "a duration such as `500ms`, `30s`, `5m`, `24h` or `14d`";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let factor = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ms)| *ms);
        match (number.parse::<u64>().ok(), factor) {
            (Some(number), Some(factor)) => number.checked_mul(factor).map(Self::from_millis),
            (Some(0), None) if unit.is_empty() => Some(Self::ZERO),
            _ => None,
        }
        .ok_or_else(|| Self::KIND.into())
    }

    fn show(&self) -> String {
        let ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        if ms == 0 {
            return "0s".into();
        }
        let (unit, factor) = DURATION_UNITS.into_iter().find(|(_, factor)| ms % factor == 0).unwrap_or(("ms", 1));
        format!("{}{unit}", ms / factor)
    }
}

/// A number of bytes, written with a binary unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// Names and units of sizes, largest first.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

impl ByteSize {
    /// So many KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// So many MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// So many GiB.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// As the type of sizes in memory; saturates where an address has fewer bits.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl SettingValue for ByteSize {
    const KIND: &'static str = "a size such as `512KiB`, `64MiB`, `1GiB`, or a plain number of bytes";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let factor = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, bytes)| *bytes);
        let number: Option<u64> = number.replace('_', "").parse().ok();
        match (number, factor) {
            (Some(number), Some(factor)) => number.checked_mul(factor).map(Self),
            _ => None,
        }
        .ok_or_else(|| Self::KIND.into())
    }

    fn show(&self) -> String {
        let (unit, factor) =
            SIZE_UNITS.into_iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor)).unwrap_or(("", 1));
        format!("{}{unit}", self.0 / factor)
    }
}

/// Splits `64MiB` into `64` and `MiB`.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

/// A text that is never shown: not by `coderoom config`, not in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

impl SettingValue for Secret {
    const KIND: &'static str = "a secret text";
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        "********".into()
    }
}

/// Empty text: not set.
impl<T: SettingValue> SettingValue for Option<T> {
    const KIND: &'static str = T::KIND;
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}

/// Comma-separated; in TOML an array.
impl SettingValue for Vec<String> {
    const KIND: &'static str = "a list, in variables and flags separated by commas";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn show(&self) -> String {
        self.join(",")
    }
}

/// Declares an enum that is a setting: one word for each choice.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $crate::config::value::SettingValue for $name {
            const KIND: &'static str = $kind;

            fn parse(text: &str) -> Result<Self, String> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err($kind.into()) }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.into()
            }
        }
    };
}
pub(crate) use choice;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_back_what_they_show() {
        for ms in [0, 1, 999, 1000, 90_000, 3_600_000, 14 * 86_400_000] {
            let value = Duration::from_millis(ms);
            assert_eq!(Duration::parse(&value.show()), Ok(value));
        }
        for bytes in [0, 1, 1023, 1024, 5 << 20, 1 << 30, (1 << 30) + 1] {
            assert_eq!(ByteSize::parse(&ByteSize(bytes).show()), Ok(ByteSize(bytes)));
        }
        assert_eq!(ByteSize::parse("64 mib"), Ok(ByteSize::mib(64)));
        assert_eq!(Duration::parse("14d").map(|d| d.show()), Ok("14d".into()));
    }

    #[test]
    fn nonsense_is_refused_and_huge_numbers_do_not_wrap() {
        for text in ["", "s", "10", "-3s", "3 parsecs", "99999999999999999d"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "1.5GiB", "99999999999999GiB"] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }
}
