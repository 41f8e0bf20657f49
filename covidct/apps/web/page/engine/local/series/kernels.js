// A ConvolutionKernel, or the description of a series -> what it was reconstructed for, as covidct/series/kernels.py has it.

const LUNG = /lung|^(b[67]\d|bl\d\d|br[67]\d|bv[67]\d|fc5\d|fc8\d|yc|yb|l$)/i;
const BONE = /bone|^(fc3\d|hr|ub|yd|d$)/i;

/** Whether a kernel is one for lungs. */
export const isForLungs = (kernel) => LUNG.test(kernel);

/** Whether a kernel is one for bones. */
export const isForBones = (kernel) => BONE.test(kernel);
