//! E-mail addresses, in the one form that they are kept and compared in.

use std::fmt;

/// The longest address that mail can be sent to (RFC 5321, 4.5.3.1.3, less the angle brackets).
const BYTES_MAX: usize = 254;
/// The longest part before the `@`.
const LOCAL_BYTES_MAX: usize = 64;

/// An address: trimmed, in lower case. Not shown in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(not shown)")
    }
}

impl Email {
    /// The address that this text is, or `None` if it can't be one. Only what every address has is asked for: one that
    /// mail reaches is known once mail has reached it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Email> {
        let address = text.trim().to_lowercase();
        let (local, domain) = address.rsplit_once('@')?;
        let local_fits = (1..=LOCAL_BYTES_MAX).contains(&local.len()) && !local.contains('@');
        let labels = domain.split('.').collect::<Vec<_>>();
        let domain_fits = labels.len() >= 2 && labels.iter().all(|label| is_label(label));
        let plain = address.chars().all(|c| !c.is_whitespace() && !c.is_control());
        (local_fits && domain_fits && plain && address.len() <= BYTES_MAX).then_some(Email(address))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A domain's label: letters of any script, digits and inner hyphens.
fn is_label(label: &str) -> bool {
    let inner = !label.starts_with('-') && !label.ends_with('-');
    inner && (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_has_one_form() {
        assert_eq!(Email::parse("  Kim.Minji@Example.COM ").unwrap().as_str(), "kim.minji@example.com");
        assert!(Email::parse("fan+1@mail.example.co.kr").is_some());
        assert!(Email::parse("민지@예제.한국").is_some());
    }

    #[test]
    fn what_cannot_be_an_address_is_none() {
        let long = format!("{}@example.com", "k".repeat(65));
        let longer = format!("k@{}.com", "a.".repeat(130));
        for bad in
            ["", "kim", "@example.com", "kim@", "kim@example", "a b@example.com", "a@b@example.com", "k@-a.com", "k@a..com", "k\u{0}@a.com"]
                .into_iter()
                .chain([long.as_str(), longer.as_str()])
        {
            assert!(Email::parse(bad).is_none(), "{bad}");
        }
    }
}
