//! The command `lyceum`; everything is in the library.

fn main() -> std::process::ExitCode {
    lyceum::cli::main()
}
