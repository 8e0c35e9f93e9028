// SPDX-License-Identifier: GPL-2.0

//! Another network namespace, as "ip -n" enters it.

use anyhow::bail;
use anyhow::Context as _;
use anyhow::Result;
use rustix::io::Errno;
use rustix::thread::move_into_link_name_space;
use rustix::thread::LinkNameSpaceType;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::path::PathBuf;

const FOLDER: &str = "/run/netns";

/// The file of a name, or the one that is named by a path.
fn file(name: &Path) -> PathBuf {
    if name.components().count() == 1 && !name.is_absolute() {
        Path::new(FOLDER).join(name)
    } else {
        name.to_path_buf()
    }
}

/// From now on this thread is there; the program has no other yet.
pub fn enter(name: &Path) -> Result<()> {
    let path = file(name);
    let shown = name.display();
    let file = File::open(&path).with_context(|| {
        format!("there is no network namespace \"{shown}\": \"ip netns\" lists them")
    })?;
    match move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => {
            bail!("to enter the network namespace \"{shown}\" needs CAP_SYS_ADMIN: run this as root, or with sudo")
        }
        Err(Errno::INVAL) => bail!("{} is no network namespace", path.display()),
        Err(e) => {
            Err(e).with_context(|| format!("the network namespace \"{shown}\" cannot be entered"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(file(Path::new("blue")), Path::new("/run/netns/blue"));
        assert_eq!(
            file(Path::new("/proc/1/ns/net")),
            Path::new("/proc/1/ns/net")
        );
        assert_eq!(file(Path::new("./blue")), Path::new("./blue"));
    }

    #[test]
    fn what_is_no_namespace() {
        let error = format!("{:#}", enter(Path::new("no such")).unwrap_err());
        assert!(
            error.contains("there is no network namespace \"no such\""),
            "{error}"
        );
    }
}
