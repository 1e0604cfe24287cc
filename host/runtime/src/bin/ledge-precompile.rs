//! Compiles a component ahead of time, for embedding: `ledge-precompile IN OUT`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(input), Some(output), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: ledge-precompile COMPONENT.wasm OUTPUT.cwasm".into());
    };
    fs::write(output, ledge_runtime::precompile(&fs::read(input)?)?)?;
    Ok(())
}
