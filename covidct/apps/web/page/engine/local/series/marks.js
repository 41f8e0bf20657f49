// The elements that tell passes of one series apart, first to last, as covidct/series/passes.py has them
// (PS3.3 C.7.4.1, C.7.6.1, C.7.6.18, C.8.2.1). Knows keywords alone.

export const INTERLEAVED = [
  "FrameOfReferenceUID", "ConvolutionKernel", "AcquisitionNumber", "ImageType", "EchoNumbers", "TemporalPositionIdentifier",
  "NominalPercentageOfCardiacPhase",
];
// These vary within one pass, too: they count only where places repeat.
const REPEATED = ["SliceThickness", "TriggerTime", "ContrastBolusAgent", "KVP", "AcquisitionDateTime", "AcquisitionTime"];
/** What tells passes apart, first to last. */
export const MARKS = [...INTERLEAVED, ...REPEATED];
