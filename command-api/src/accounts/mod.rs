//! People: sign-up, sign-in, nicknames. E-mail addresses, nicknames and password hashes are rows of `people` and nowhere
//! else; the log knows an opaque account id, and nothing secret or personal goes through the executor.

pub mod email;
pub mod nickname;
pub mod password;
pub mod people;

pub use email::Email;
pub use nickname::Nickname;
pub use password::{HashPool, PasswordError};
