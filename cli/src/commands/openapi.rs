//! `socketing openapi`: the API's description, without a running system.

use crate::failure::Exit;
use crate::output::print;
use crate::serve::document;

/// Prints it.
pub(crate) fn run() -> anyhow::Result<Exit> {
    print(&document::whole().to_pretty_json()?)?;
    Ok(Exit::Ok)
}
