//! Nicknames: what people are called by others. Chosen, or made of an adjective, a colour and an animal.

use rand::{Rng, seq::IndexedRandom};

/// Characters of a nickname: what fits beside a seat.
pub const CHARS_MAX: usize = 30;

const ADJECTIVES: [&str; 24] = [
    "행복한",
    "용감한",
    "느긋한",
    "씩씩한",
    "다정한",
    "영리한",
    "신나는",
    "포근한",
    "당당한",
    "상냥한",
    "재빠른",
    "명랑한",
    "든든한",
    "반짝이는",
    "노래하는",
    "춤추는",
    "꿈꾸는",
    "웃음많은",
    "호기심많은",
    "부지런한",
    "조용한",
    "엉뚱한",
    "늠름한",
    "수줍은",
];
const COLOURS: [&str; 12] = ["빨간", "주황", "노란", "초록", "파란", "남색", "보라", "분홍", "하얀", "은빛", "금빛", "하늘색"];
const ANIMALS: [&str; 24] = [
    "고양이",
    "강아지",
    "토끼",
    "판다",
    "여우",
    "사자",
    "호랑이",
    "고래",
    "돌고래",
    "펭귄",
    "수달",
    "다람쥐",
    "부엉이",
    "거북이",
    "코알라",
    "기린",
    "코끼리",
    "너구리",
    "고슴도치",
    "두루미",
    "사슴",
    "까치",
    "물범",
    "알파카",
];

/// A nickname that someone chose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nickname(String);

impl Nickname {
    /// The nickname that this text is, trimmed; `None` if it is empty, too long, or holds what can't be seen (control
    /// and formatting characters: with them, two nicknames could look alike).
    #[must_use]
    pub fn parse(text: &str) -> Option<Nickname> {
        let name = text.trim();
        let length = name.chars().count();
        let visible = name.chars().all(|c| !c.is_control() && !is_invisible(c) && (!c.is_whitespace() || c == ' '));
        ((1..=CHARS_MAX).contains(&length) && visible).then(|| Nickname(name.to_owned()))
    }

    /// The nickname.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Zero-width characters, marks of direction, fillers and tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A random nickname, such as 용감한파란수달. The more attempts were taken already, the longer the number after it:
/// none at first, then up to 8 digits, so that it ends up unique however many people there are.
pub fn random(rng: &mut impl Rng, attempt: u32) -> String {
    let mut word = |words: &[&'static str]| words.choose(rng).copied().unwrap_or_default();
    let name = format!("{}{}{}", word(&ADJECTIVES), word(&COLOURS), word(&ANIMALS));
    if attempt == 0 {
        return name;
    }
    let digits = attempt.saturating_add(1).min(8);
    format!("{name}{}", rng.random_range(1..10_u32.pow(digits)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};
    use std::collections::HashSet;

    #[test]
    fn the_same_randomness_gives_the_same_name() {
        let name = |seed, attempt| random(&mut StdRng::seed_from_u64(seed), attempt);
        assert_eq!(name(42, 0), name(42, 0));
        assert_eq!(name(42, 3), name(42, 3));
        let names: HashSet<String> = (0..200).map(|seed| name(seed, 0)).collect();
        assert!(names.len() > 150, "{} of 200 names differ", names.len());
    }

    #[test]
    fn random_names_are_valid_nicknames() {
        let mut rng = StdRng::seed_from_u64(1);
        for attempt in 0..200 {
            let name = random(&mut rng, attempt % 12);
            assert!(Nickname::parse(&name).is_some_and(|kept| kept.as_str() == name), "{name}");
            assert_eq!(name.ends_with(|c: char| c.is_ascii_digit()), attempt % 12 > 0, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for bad in ["", "   ", "a\nb", "kim\u{200b}", "\u{202e}kim", "\u{3164}", "a\u{a0}b", &"가".repeat(31)] {
            assert!(Nickname::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Nickname::parse(" 김 민지 ").unwrap().as_str(), "김 민지");
        assert!(Nickname::parse(&"가".repeat(30)).is_some());
    }
}
