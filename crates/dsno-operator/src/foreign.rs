//! Networks that others published, as teachers.
//!
//! Each family has an architecture of its own, whose keys are those of the original, and loads weights
//! under their original names. All have the same surface: an architecture `validate`s, `init`s,
//! `load`s, counts its parameters and lists the `weight_shapes` of its file without being built; a
//! network takes and gives `state_dict`, and a `denoiser(labels, clamp)` is what solvers call.
//!
//! | family                                                       | module        |
//! |--------------------------------------------------------------|---------------|
//! | Hugging Face diffusers, `UNet2DModel`                        | [`diffusers`] |
//! | OpenAI improved-diffusion, guided-diffusion, consistency models | [`guided`] |
//! | what these two have in common                                | [`ddpm`]      |
//! | EDM: DDPM++, NCSN++ and ADM, preconditioned                  | [`edm`]       |

pub mod ddpm;
pub mod diffusers;
pub mod edm;
pub mod guided;
mod map;

/// The first TOML file in the documentation of a source text.
#[cfg(test)]
fn documented_toml(source: &str) -> String {
    let lines = source.lines().map(|line| line.trim_start_matches("///"));
    let mut lines = lines.skip_while(|line| line.trim() != "```toml");
    lines.next();
    let file = lines.take_while(|line| line.trim() != "```");
    file.map(|line| format!("{line}\n")).collect()
}
