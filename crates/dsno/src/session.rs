//! What every verb shares: where things are, what runs them, how to talk to the user.

use burn::tensor::Device;

use crate::device::DeviceName;
use crate::failure::Failure;
use crate::home::Home;
use crate::interrupt::Interrupt;
use crate::progress::{Meter, Style};

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) home: Home,
    pub(crate) device: DeviceName,
    style: Style,
    interrupt: Interrupt,
}

impl Session {
    /// Begins a session; nothing is opened yet.
    pub(crate) fn new(device: DeviceName) -> Self {
        Self {
            home: Home::find(),
            device,
            style: Style::detect(),
            interrupt: Interrupt::listen(),
        }
    }

    /// The device, checked to be there.
    pub(crate) fn open_device(&self) -> Result<Device, Failure> {
        self.device.open()
    }

    /// A progress meter.
    pub(crate) fn meter(&self, label: &str, unit: &'static str) -> Meter {
        Meter::new(label, unit, self.style, &self.interrupt)
    }
}

/// The failure that a stop at the user's request ends in.
pub(crate) fn stopped(stage: &str) -> Failure {
    Failure::run(format!(
        "stopped at your request during {stage}; the same command continues where it left off"
    ))
}
