//! `seedbed key`: makes and shows keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use seedbed_scenarios::deploy::SecretKey;

use super::{Done, Verdict, print};

/// Make the secret key of a node, or show the public one that belongs to it.
#[derive(Args, Debug)]
pub(super) struct Key {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a new secret key to a file that only its owner can read, and print the public one.
    ///
    /// The public key is what other members' files know the node by. A file that is there is never overwritten.
    New {
        /// The file.
        #[arg(default_value = "key")]
        file: PathBuf,
    },
    /// Print the public key that belongs to the secret one in a file.
    Show {
        /// The file.
        #[arg(default_value = "key")]
        file: PathBuf,
    },
}

impl Key {
    pub(super) fn execute(&self) -> Done {
        let key = match &self.action {
            Action::New { file } => {
                let key = SecretKey::generate()?;
                key.save(file)?;
                key
            }
            Action::Show { file } => SecretKey::load(file)?,
        };
        print(&format!("{}\n", key.public()))?;
        Ok(Verdict::Holds)
    }
}
