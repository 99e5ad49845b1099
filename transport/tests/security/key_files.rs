//! Files with secret keys are for their owner alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use seedbed_transport::identity::{KeyFileError, SecretKey};

use crate::bed::Folder;

#[test]
fn a_key_is_written_for_its_owner_and_read_back() {
    let folder = Folder::new("written");
    let (path, key) = (folder.0.join("node.key"), SecretKey::generate().unwrap());
    key.save(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(SecretKey::load(&path).unwrap().public(), key.public());
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = Folder::new("kept");
    let (path, key) = (folder.0.join("node.key"), SecretKey::generate().unwrap());
    key.save(&path).unwrap();
    assert!(matches!(SecretKey::generate().unwrap().save(&path), Err(KeyFileError::Failed { .. })));
    assert_eq!(SecretKey::load(&path).unwrap().public(), key.public());
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn a_key_that_others_can_reach_is_refused() {
    let folder = Folder::new("open");
    let path = folder.0.join("node.key");
    SecretKey::generate().unwrap().save(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = SecretKey::load(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { .. }), "{mode:o}: {error}");
        assert!(error.to_string().ends_with(&format!("chmod 600 {}", path.display())), "{error}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(SecretKey::load(&path).is_ok());
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let folder = Folder::new("wrong");
    let path = folder.0.join("node.key");
    let texts = ["", "hunter2", "seedbed-secret-key-1 hunter2", "seedbed-secret-key-2 aaaa"];
    for text in texts.map(str::as_bytes).into_iter().chain([&b"hunter2 \xff"[..]]) {
        fs::write(&path, text).unwrap();
        // Of a file that is open to others, too, nobody is told to close it.
        for mode in [0o600, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = SecretKey::load(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::NotAKey { .. }));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
