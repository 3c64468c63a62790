//! `sqlx::migrate!` embeds the files of `../migrations`; without this line cargo wouldn't notice a new one.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
