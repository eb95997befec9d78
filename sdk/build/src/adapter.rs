//! The adapter for runtimes that import WASI preview 1, as Go's does: the component gets none of it.
//!
//! The usual adapter turns preview 1 into 18 and more imports of WASI. Ours answers by itself and grants nothing, so a scaler in
//! Go has the same surface as one in C or Rust: the contract. It also takes away a trap of that runtime, which asks for the time
//! while it allocates for the host, when no call may leave the component.
use crate::BuildError;
use std::fmt::Write;

/// The name of the import that it stands for.
pub(crate) const NAME: &str = "wasi_snapshot_preview1";
/// What can be said in instructions.
const TEXT: &str = include_str!("adapter.wat");
/// No such file descriptor.
const EBADF: u8 = 8;
/// No such function.
const ENOSYS: u8 = 52;

/// Functions that only refuse: name, parameters (`i` i32, `l` i64), and how.
const REFUSALS: &[(&str, &str, u8)] = &[
    ("fd_advise", "illi", EBADF),
    ("fd_allocate", "ill", EBADF),
    ("fd_close", "i", EBADF),
    ("fd_datasync", "i", EBADF),
    ("fd_fdstat_get", "ii", EBADF),
    ("fd_fdstat_set_flags", "ii", EBADF),
    ("fd_fdstat_set_rights", "ill", EBADF),
    ("fd_filestat_get", "ii", EBADF),
    ("fd_filestat_set_size", "il", EBADF),
    ("fd_filestat_set_times", "illi", EBADF),
    ("fd_pread", "iiili", EBADF),
    // The end of the list of folders.
    ("fd_prestat_get", "ii", EBADF),
    ("fd_prestat_dir_name", "iii", EBADF),
    ("fd_pwrite", "iiili", EBADF),
    ("fd_readdir", "iiili", EBADF),
    ("fd_renumber", "ii", EBADF),
    ("fd_seek", "ilii", EBADF),
    ("fd_sync", "i", EBADF),
    ("fd_tell", "ii", EBADF),
    ("path_create_directory", "iii", ENOSYS),
    ("path_filestat_get", "iiiii", ENOSYS),
    ("path_filestat_set_times", "iiiilli", ENOSYS),
    ("path_link", "iiiiiii", ENOSYS),
    ("path_open", "iiiiillii", ENOSYS),
    ("path_readlink", "iiiiii", ENOSYS),
    ("path_remove_directory", "iii", ENOSYS),
    ("path_rename", "iiiiii", ENOSYS),
    ("path_symlink", "iiiii", ENOSYS),
    ("path_unlink_file", "iii", ENOSYS),
    ("proc_raise", "i", ENOSYS),
    // Refused, not made up: who needs randomness has the contract's, and must never get something that only looks like it.
    ("random_get", "ii", ENOSYS),
    ("sock_accept", "iii", ENOSYS),
    ("sock_recv", "iiiiii", ENOSYS),
    ("sock_send", "iiiii", ENOSYS),
    ("sock_shutdown", "ii", ENOSYS),
];

/// The adapter as a core module.
pub(crate) fn module() -> Result<Vec<u8>, BuildError> {
    let mut refusals = String::new();
    for (name, parameters, errno) in REFUSALS {
        let types: Vec<&str> = parameters.chars().map(|c| if c == 'l' { "i64" } else { "i32" }).collect();
        let types = types.join(" ");
        let _ = writeln!(refusals, "(func (export \"{name}\") (param {types}) (result i32) (i32.const {errno}))");
    }
    // The comment at the top names the place too; only a line of its own is one.
    wat::parse_str(TEXT.replace("\n  REFUSALS\n", &format!("\n{refusals}\n")))
        .map_err(|error| BuildError::NotAScaler(format!("the adapter for WASI: {error}")))
}
